import cluster, { type Worker } from 'node:cluster';
import { join } from 'node:path';
import type { Config } from './config/config.ts';
import { seconds } from './kernel/duration.ts';
import { holdDatabase } from './open-stores.ts';
import { answerScrapes } from './telemetry/cluster-metrics.ts';
import type { Logger } from './telemetry/log.ts';

export type ClusterOptions = { config: Config; log: Logger; root: string };

/** Longer than a process takes to drain by itself. */
const STOP_LIMIT_MS = 35_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** A process that served so long did not die of what it began with. */
const SOUND_AFTER_MS = seconds.minute * 1000;

/**
 * WEB_CONCURRENCY processes on one port. This one answers nothing: it brings the schema up to date, holds the embedded
 * database if there is one, hands out connections in turn, and begins another process when one dies. Resolves when all
 * serve; a process that can not even begin is an error, as it is without a cluster.
 */
export async function startCluster(options: ClusterOptions): Promise<{ close(): Promise<void> }> {
  const { config, log, root } = options;
  const migrationsDir = join(root, 'migrations');
  const database = await holdDatabase({ config, log, migrationsDir });
  cluster.setupPrimary({ exec: join(root, 'bin', 'latchkey.mjs'), args: ['start'] });
  answerScrapes();
  const state = { closing: false };
  const close = async (): Promise<void> => {
    state.closing = true;
    await Promise.all(workers().map(stop));
    await database.stop();
  };
  try {
    await Promise.all(
      Array.from({ length: config.webConcurrency }, async () => keep(options, state, await begin())),
    );
  } catch (error) {
    await close();
    throw error;
  }
  log.info({ processes: config.webConcurrency }, 'all processes serve');
  return { close };
}

const workers = (): Worker[] => Object.values(cluster.workers ?? {}).filter((one) => one !== undefined);

/** A process that listens. */
function begin(): Promise<Worker> {
  const worker = cluster.fork();
  return new Promise((resolve, reject) => {
    worker.once('listening', () => resolve(worker));
    worker.once('error', reject);
    worker.once('exit', (code, signal) =>
      reject(new Error(`a process ended before it served (${signal ?? `exit code ${code}`})`)),
    );
  });
}

/** Puts another process in the place of this one when it dies, later each time that this happens soon after the last. */
function keep({ log }: ClusterOptions, state: { closing: boolean }, first: Worker): void {
  let delay = FIRST_DELAY_MS;
  const watch = (worker: Worker): void => {
    const begunAt = performance.now();
    worker.once('exit', (code, signal) => {
      if (state.closing) return;
      if (performance.now() - begunAt > SOUND_AFTER_MS) delay = FIRST_DELAY_MS;
      log.error({ pid: worker.process.pid, code, signal, again_in_ms: delay }, 'a process ended by itself');
      again();
    });
  };
  const again = (): void => {
    const timer = setTimeout(() => {
      if (state.closing) return;
      begin().then(
        (worker) => {
          log.info({ pid: worker.process.pid }, 'another process serves in its place');
          watch(worker);
        },
        (error: unknown) => {
          log.error({ err: error, again_in_ms: delay }, 'a process could not begin');
          again();
        },
      );
    }, delay);
    timer.unref();
    delay = Math.min(delay * 2, LONGEST_DELAY_MS);
  };
  watch(first);
}

/** SIGTERM, and it finishes what it has begun; SIGKILL if it does not come to an end. */
function stop(worker: Worker): Promise<void> {
  if (worker.isDead()) return Promise.resolve();
  return new Promise((resolve) => {
    const limit = setTimeout(() => worker.process.kill('SIGKILL'), STOP_LIMIT_MS);
    worker.once('exit', () => {
      clearTimeout(limit);
      resolve();
    });
    worker.process.kill('SIGTERM');
  });
}
