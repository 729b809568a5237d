import type { Drill } from './drill.ts';
import { clientDrills } from './faults-of-clients.ts';
import { neighbourDrills } from './faults-of-neighbours.ts';
import { databaseDrills } from './faults-of-postgres.ts';
import { processDrills } from './faults-of-processes.ts';
import { redisDrills } from './faults-of-redis.ts';

export const drills: readonly Drill[] = [
  ...databaseDrills,
  ...redisDrills,
  ...processDrills,
  ...neighbourDrills,
  ...clientDrills,
].toSorted((a, b) => a.number - b.number);
