import { join } from 'node:path';
import { peopleAre } from './bars.ts';
import { fillPeople } from './fill/people.ts';
import type { Bench } from './main.ts';
import { type LatchkeyOptions, prepareLatchkey, startLatchkey, type Stores, type Target } from './targets.ts';

type Place = LatchkeyOptions & { stores: Stores; database: string };
export type Alone = Target & { place: Place };

/** 0 and 1 are those of the table's targets. */
let redisDatabase = 1;

/** An instance with a Postgres database and a Redis database of its own. Its hashing costs nothing. */
export async function startAlone({ dir, stores }: Bench, name: string): Promise<Alone> {
  const database = `${name}_${(redisDatabase += 1)}`;
  const place = { dir: join(dir, database), stores, database, redisDatabase, withoutHash: true };
  return { ...(await prepareLatchkey(name, await startLatchkey(place))), place };
}

/** The same with so many people. */
export async function startWithPeople(bench: Bench, count: number): Promise<Alone> {
  const alone = await startAlone(bench, 'people');
  await fillPeople(bench.stores, alone.place.database, count);
  return { ...alone, people: count, name: peopleAre(count) };
}
