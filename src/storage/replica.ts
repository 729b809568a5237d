import { remainingMs, withDeadline } from '../kernel/deadline.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Database, Queryable } from './database.ts';
import { type Position, positionOfPrimary, positionOfStandby } from './replication.ts';

export type ReplicaState = {
  isUsed: boolean;
  /** undefined: it was never seen to follow. */
  lagSeconds: number | undefined;
  /** Lists answered so far, by where they were read. */
  reads: { replica: number; primary: number };
};

export type ReplicaDeps = {
  primary: Database;
  /** The standby as the server's role, which sees the app that it names, and as the operator's. */
  standby: { server: Database; operator: Database };
  maxLagSeconds: number;
  log: Pick<Logger, 'info' | 'warn'>;
};

/** Something went wrong at the replica, whatever it was: the primary has to be asked. */
export class ReplicaFailed extends Error {}

/** A position that the primary had reached at a moment, by `performance.now()`. */
type Mark = { at: number; position: bigint };

const LOOK_LIMIT_MS = 2000;
/** One answer that is late or lost is not an outage: requests meanwhile go on to the primary by themselves. */
const MISSES_OF_AN_OUTAGE = 2;
const READ_LIMIT_MS = 4000;
/** More than an hour at two seconds each, which is the furthest bound there is. */
const MOST_MARKS = 2000;

/**
 * A standby of Postgres for reads that may lag. How far it is behind is known without clocks being compared: the primary
 * is asked now and then how far it has written, and the standby how far it has read. What it shows is as of the last
 * moment whose position it has reached.
 */
export class Replica {
  readonly maxLagSeconds: number;
  readonly #deps: ReplicaDeps;
  readonly #reads = { replica: 0, primary: 0 };
  #marks: Mark[] = [];
  #asOf: number | undefined;
  /** Why it can not be used, however near. */
  #fault: string | undefined = 'not compared with the primary yet';
  #error: unknown;
  #misses = 0;
  #wasUsed: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: ReplicaDeps) {
    this.#deps = deps;
    this.maxLagSeconds = deps.maxLagSeconds;
  }

  /** Begins to look, and looks again until `close`. */
  follow(): void {
    const interval = Math.min(2000, this.maxLagSeconds * 200);
    const again = async (): Promise<void> => {
      await this.#look();
      if (this.#timer !== undefined) this.#timer = setTimeout(() => void again(), interval).unref();
    };
    this.#timer = setTimeout(() => void again(), 0).unref();
  }

  get isUsable(): boolean {
    return this.#fault === undefined && (this.#lagMs() ?? Infinity) <= this.maxLagSeconds * 1000;
  }

  state(): ReplicaState {
    const lag = this.#lagMs();
    return { isUsed: this.isUsable, lagSeconds: lag && lag / 1000, reads: { ...this.#reads } };
  }

  count(from: 'replica' | 'primary'): void {
    this.#reads[from] += 1;
  }

  /** The rows of one app, as the server's role sees them; without an app those of all, as the operator's. Throws ReplicaFailed. */
  reading(appId: string | undefined): Queryable {
    const { server, operator } = this.#deps.standby;
    return {
      query: async (statement) => {
        // The other half is for the primary.
        const left = remainingMs();
        const limit = left === undefined ? READ_LIMIT_MS : left / 2;
        try {
          return await withDeadline(limit, () =>
            (appId === undefined ? operator : server).query(appId, statement),
          );
        } catch (error) {
          this.#deps.log.warn({ err: error }, 'the replica did not answer, the primary is asked');
          throw new ReplicaFailed('the replica did not answer', { cause: error });
        }
      },
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { server, operator } = this.#deps.standby;
    await Promise.all([server.close(), operator.close()]);
  }

  #lagMs(): number | undefined {
    return this.#asOf === undefined ? undefined : performance.now() - this.#asOf;
  }

  async #look(): Promise<void> {
    const { primary, standby } = this.#deps;
    // Before the question: whatever was acknowledged by now is before the position in the answer.
    const at = performance.now();
    const [here, there] = await withDeadline(LOOK_LIMIT_MS, () =>
      Promise.allSettled([positionOfPrimary(primary), positionOfStandby(standby.operator)]),
    );
    if (here.status === 'fulfilled') this.#mark({ at, position: here.value.position });
    this.#misses = there.status === 'fulfilled' ? 0 : this.#misses + 1;
    if (there.status === 'fulfilled')
      this.#judge(here.status === 'fulfilled' ? here.value : undefined, there.value);
    else if (this.#misses >= MISSES_OF_AN_OUTAGE) this.#fault = 'unreachable';
    this.#error = [there, here].find((answer) => answer.status === 'rejected')?.reason;
    this.#tell();
  }

  /** Without the primary's answer nothing is known of the standby that was not known before. */
  #judge(here: Position | undefined, there: Position<bigint | undefined>): void {
    if (there.position === undefined) this.#fault = 'not a standby';
    else if (here) this.#fault = here.database === there.database ? undefined : 'another database';
    this.#reach(there.position);
  }

  #mark(mark: Mark): void {
    // A primary that is behind the one before has taken its place: what that one reached says nothing any more.
    if (this.#marks.some(({ position }) => position > mark.position)) {
      this.#marks = [];
      this.#asOf = undefined;
    }
    this.#marks.push(mark);
    if (this.#marks.length > MOST_MARKS) this.#marks.shift();
  }

  #reach(position: bigint | undefined): void {
    const reached = this.#marks.findLast((mark) => position !== undefined && mark.position <= position);
    if (!reached) return;
    this.#asOf = reached.at;
    this.#marks = this.#marks.filter(({ at }) => at >= reached.at);
  }

  #tell(): void {
    const isUsed = this.isUsable;
    if (isUsed === this.#wasUsed) return;
    this.#wasUsed = isUsed;
    const { lagSeconds } = this.state();
    const fields = {
      reason: this.#fault ?? 'lagging',
      lag_seconds: lagSeconds,
      max_lag_seconds: this.maxLagSeconds,
      err: this.#error,
    };
    if (isUsed) this.#deps.log.info({ lag_seconds: lagSeconds }, 'lists are read from the replica');
    else this.#deps.log.warn(fields, 'the replica is not used, lists are read from the primary');
  }
}
