import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from './surfaces/cli/run.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const ours = { version, migrationsDir: join(root, 'migrations') };

const copies = () => import('./back-up.ts');

// Each command loads what it needs: a server carries no commands, and the primary of several processes no server.
process.exitCode = await runCommandLine(process.argv.slice(2), {
  version,
  async start(config, log) {
    if (config.webConcurrency > 1 && cluster.isPrimary)
      return (await import('./cluster.ts')).startCluster({ config, log, root });
    const [{ startLatchkey }, { giveBackMemory }, { letPoolYield }] = await Promise.all([
      import('./app.ts'),
      import('./kernel/memory.ts'),
      import('./kernel/thread-priority.ts'),
    ]);
    const beforeListening = (): void => {
      letPoolYield();
      giveBackMemory();
    };
    return startLatchkey({ config, log, version, root, held: cluster.isWorker, beforeListening });
  },
  routes: async (config) => (await import('./app.ts')).routeTable(config),
  async migrate(config, log) {
    const { migrateOnly } = await import('./open-stores.ts');
    return migrateOnly({ config, log, migrationsDir: ours.migrationsDir });
  },
  async planMigration(config, log) {
    const { planOnly } = await import('./open-stores.ts');
    return planOnly({ config, log, migrationsDir: ours.migrationsDir });
  },
  administer: async (config, log) => (await import('./administer.ts')).administer({ config, log, root }),
  backUp: async (copying, sink) => (await copies()).backUp({ ...copying, ...ours }, sink),
  restore: async (copying, source) => (await copies()).restore({ ...copying, ...ours }, source),
  move: async (copying, to) => (await copies()).move({ ...copying, ...ours }, to),
});
