import { setTimeout as sleep } from 'node:timers/promises';
import { type RootKeys, unseal } from '../kernel/secret.ts';
import type { Database } from '../storage/database.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { payloadAt } from './jobs/enqueue.ts';
import { backoffSeconds, GiveUp, type JobHandler, MAX_ATTEMPTS } from './jobs/job.ts';
import {
  type ClaimedJob,
  claimDueJobs,
  countPendingJobs,
  giveJobUp,
  postponeJob,
  removeJob,
  removeStaleJobs,
} from './jobs/operator-store.ts';

export type WorkerDeps = {
  operatorDb: Database;
  rootKeys: RootKeys;
  log: Logger;
  metrics: Metrics;
  /** How often to look when nobody wakes us; default 2 s. */
  pollMs?: number;
  /** How many jobs run at once; default 8. */
  concurrency?: number;
  /** A job whose process died is begun again after this; longer than any handler takes. Default 120 s. */
  leaseSeconds?: number;
  /** Called for each kind of job that expired undone. */
  onExpired?: (kind: string) => void;
};

const SWEEP_MS = 30_000;
const AGAIN_MS = 500;

/** Does jobs, at least once each. Several processes may run one; a job is in one hand at a time. */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #handlers = new Map<string, JobHandler>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #isWoken = false;
  #isStopped = true;
  #isEnding = false;
  #sweptAt = 0;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
  }

  /** Says who does jobs of a kind. Kinds without a handler are left to others. */
  register(kind: string, handler: JobHandler): void {
    if (this.#handlers.has(kind)) throw new Error(`two handlers for jobs of kind ${kind}`);
    this.#handlers.set(kind, handler);
  }

  start(): void {
    this.#isStopped = false;
    this.#isEnding = false;
    this.#timer = setInterval(() => this.wake(), this.#deps.pollMs ?? 2000);
    this.#timer.unref();
    this.wake();
  }

  /** Looks for due jobs now. Returns at once and never throws: it is called after commits. */
  wake = (): void => {
    if (this.#isStopped) return;
    this.#isWoken = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
      // Woken between the last look and here.
      if (this.#isWoken) this.wake();
    });
  };

  /** Takes no further jobs and resolves when those in hand are done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#isEnding = true;
    this.#isWoken = false;
    clearInterval(this.#timer);
    await this.#round;
  }

  /** Does what is due until nothing is, without being started: for tests and commands. */
  async runDue(): Promise<void> {
    while ((await this.#takeBatch()) > 0);
  }

  async #rounds(): Promise<void> {
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false;
      try {
        while (!this.#isStopped && (await this.#takeBatch()) > 0);
        await this.#sweep();
      } catch (error) {
        // The store is away: the next round tries again.
        this.#deps.log.warn({ err: error }, 'jobs could not be looked for');
        return;
      }
    }
  }

  async #takeBatch(): Promise<number> {
    const { operatorDb, concurrency = 8, leaseSeconds = 120 } = this.#deps;
    const kinds = [...this.#handlers.keys()];
    const jobs =
      kinds.length === 0 ? [] : await claimDueJobs(operatorDb, { kinds, most: concurrency, leaseSeconds });
    await Promise.all(jobs.map((job) => this.#do(job)));
    return jobs.length;
  }

  async #do(job: ClaimedJob): Promise<void> {
    const { metrics, rootKeys } = this.#deps;
    const stopTimer = metrics.jobDuration.startTimer({ kind: job.kind });
    try {
      const payload: unknown = this.#open(rootKeys, job);
      await this.#handlers.get(job.kind)!({
        appId: job.app_id,
        jobId: job.job_id,
        kind: job.kind,
        payload,
        attempt: job.attempts,
      });
    } catch (error) {
      stopTimer();
      return this.#putBack(job, error);
    }
    stopTimer();
    await this.#finish(job);
  }

  /**
   * Only now: a process that dies before this does the job again rather than never. A store that is away is asked for half
   * of the lease, because a mail that is sent again is read again.
   */
  async #finish(job: ClaimedJob): Promise<void> {
    const { operatorDb, log, leaseSeconds = 120 } = this.#deps;
    for (const until = performance.now() + leaseSeconds * 500; ; await sleep(AGAIN_MS))
      try {
        return await removeJob(operatorDb, job);
      } catch (error) {
        if (!this.#isEnding && performance.now() < until) continue;
        log.warn({ err: error, job_id: job.job_id }, 'a job that is done will be done again');
        return;
      }
  }

  async #putBack(job: ClaimedJob, error: unknown): Promise<void> {
    const { log } = this.#deps;
    await this.#failed(job, error).catch((cause: unknown) =>
      log.warn({ err: cause, job_id: job.job_id }, 'a failed job could not be put back; its lease will end'),
    );
  }

  #open(rootKeys: RootKeys, job: ClaimedJob): unknown {
    try {
      return JSON.parse(unseal(rootKeys, payloadAt(job.app_id, job.job_id), job.payload));
    } catch (cause) {
      throw new GiveUp('the payload can not be opened', { cause });
    }
  }

  async #failed(job: ClaimedJob, error: unknown): Promise<void> {
    const { operatorDb, log, metrics } = this.#deps;
    const fields = {
      err: error,
      job_id: job.job_id,
      kind: job.kind,
      app_id: job.app_id,
      attempt: job.attempts,
    };
    if (error instanceof GiveUp || job.attempts >= MAX_ATTEMPTS) {
      metrics.jobsFailed.inc({ kind: job.kind });
      log.error(fields, 'a job was given up');
      return giveJobUp(operatorDb, job, nameOf(error));
    }
    log.warn(fields, 'a job failed and will be tried again');
    return postponeJob(operatorDb, job, { seconds: backoffSeconds(job.attempts), error: nameOf(error) });
  }

  async #sweep(): Promise<void> {
    const { operatorDb, metrics, onExpired } = this.#deps;
    if (Date.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = Date.now();
    for (const kind of await removeStaleJobs(operatorDb)) onExpired?.(kind);
    metrics.jobsPending.set(await countPendingJobs(operatorDb));
  }
}

/** Messages may quote an address or a link; the name and the code never do. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[\w.]{1,40}$/.test(code) ? `${error.name} ${code}` : error.name;
}
