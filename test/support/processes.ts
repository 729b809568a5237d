import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Latchkey, routeTable } from '../../src/app.ts';
import type { Config } from '../../src/config/config.ts';
import { openStores } from '../../src/open-stores.ts';
import { silentLogger } from '../../src/telemetry/log.ts';

const root = new URL('../..', import.meta.url).pathname;
const preload = new URL('one-request-per-connection.mjs', import.meta.url).pathname;

/** The program as `WEB_CONCURRENCY=2 latchkey start`, every request answered by the other process than the last. */
export async function startProcesses(
  config: Config,
  env: Record<string, string | undefined>,
): Promise<Latchkey> {
  const child = spawn(process.execPath, [join(root, 'bin', 'latchkey.mjs'), 'start'], {
    cwd: config.dataDir,
    env: {
      ...env,
      WEB_CONCURRENCY: '2',
      PATH: process.env['PATH'],
      NODE_OPTIONS: `--import=${preload}`,
      LOG_LEVEL: process.env['TEST_LOG'] ? 'debug' : 'warn',
    },
  });
  let output = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        output += data.toString();
        if (process.env['TEST_LOG']) process.stderr.write(data);
        if (/is running/.test(output)) resolve();
      });
    void ended.then(() => reject(new Error(`it ended before it served:\n${output}`)));
  });
  const stores = await openStores({
    config,
    log: silentLogger,
    migrationsDir: join(root, 'migrations'),
    held: true,
  });
  return {
    stores,
    routes: routeTable(config),
    async close() {
      child.kill('SIGTERM');
      await Promise.all([ended, stores.close()]);
    },
  };
}
