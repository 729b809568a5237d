import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { administer } from './administer.ts';
import { backUp, move, restore } from './back-up.ts';
import { routeTable, startLatchkey } from './app.ts';
import { startCluster } from './cluster.ts';
import { migrateOnly, planOnly } from './open-stores.ts';
import { runCommandLine } from './surfaces/cli/run.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const ours = { version, migrationsDir: join(root, 'migrations') };

process.exitCode = await runCommandLine(process.argv.slice(2), {
  version,
  start: (config, log) =>
    config.webConcurrency > 1 && cluster.isPrimary
      ? startCluster({ config, log, root })
      : startLatchkey({ config, log, version, root, held: cluster.isWorker }),
  routes: routeTable,
  migrate: (config, log) => migrateOnly({ config, log, migrationsDir: join(root, 'migrations') }),
  planMigration: (config, log) => planOnly({ config, log, migrationsDir: join(root, 'migrations') }),
  administer: (config, log) => administer({ config, log, root }),
  backUp: (copying, sink) => backUp({ ...copying, ...ours }, sink),
  restore: (copying, source) => restore({ ...copying, ...ours }, source),
  move: (copying, to) => move({ ...copying, ...ours }, to),
});
