import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { remainingMs, withDeadline } from '../kernel/deadline.ts';
import { unavailable, unstorableText } from '../kernel/problem.ts';
import {
  type Beside,
  closingOf,
  limits,
  lookUpOptions,
  openingOf,
  type Pooler,
  prepareBesides,
  scopeOf,
  scopeOfMany,
} from './scoped-query.ts';
import { typeParsers } from './timestamps.ts';
import { Gathering } from './gathering.ts';
import { holdBack, socketOf } from './held-back.ts';
import { send, type Sending } from './one-message.ts';
import { type Loan, SharedConnection } from './shared-connection.ts';
import type { Statement } from './sql.ts';

/** Runs statements inside one transaction. */
export type Transaction = {
  query<Row = Record<string, unknown>>(statement: Statement): Promise<Row[]>;
  /** The same for the last one, which is committed with it. What is asked thereafter is a transaction of its own. */
  conclude<Row = Record<string, unknown>>(statement: Statement): Promise<Row[]>;
  /** Runs after the commit was acknowledged, before `transaction()` resolves. A throw reaches the caller. */
  afterCommit(work: () => Promise<void> | void): void;
};

export type DatabaseOptions = {
  connection: pg.PoolConfig;
  /** At most so many connections. */
  poolSize?: number;
  applicationName: string;
  pooler?: Pooler;
  /** Of the server's role, which works in one app's name at a time. */
  ofApps?: boolean;
  log: (message: string, fields: object) => void;
  /** Called before each statement; a throw makes it fail. For counting round trips and for fault tests. */
  observe?: (statement: Statement) => void;
  /** Called with the statements of a commit that was acknowledged; a throw loses that answer. For fault tests. */
  observeCommit?: (statements: readonly Statement[]) => void;
};

const CONNECT_LIMIT_MS = 3000;
const QUERY_LIMIT_MS = 12_000;
const ROLLBACK_LIMIT_MS = 1000;
/** What follows a commit has so long at least, however late its request is: what is committed has to be made known. */
const AFTERWARDS_MS = 3000;

/** Less time than this is no time for a connection that others use. */
const SHARING_MS = 1000;

const TOO_MANY_CONNECTIONS = '53300';
const AGAIN_MS = 100;

/** How many may wait for one of the pool's connections, each up to three seconds. */
const MOST_WAITING = 500;

/**
 * SQLSTATE classes that mean "not now" rather than "wrong": connection, resources, shutdown, lock and statement time-outs, and a
 * standby that is not in charge yet.
 */
const TRANSIENT = /^(08|53|57|55P03|40001|40P01|25P03|25006|XX000)/;

/** A NUL in text, and its escape in JSON. Only what a request brought can hold one: nothing of ours does. */
const UNSTORABLE: ReadonlySet<unknown> = new Set(['22021', '22P05']);

export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    // A statement that this connection has prepared answers with other columns now: another connection does not know it yet.
    if (code === '0A000') return error.message.includes('cached plan');
    return (
      TRANSIENT.test(code) ||
      /^E(CONN|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NOENT|AI_AGAIN|NOTFOUND)/.test(code)
    );
  }
  return /Connection terminated|connection error|timeout exceeded when trying to connect|not queryable|Query read timeout|Client was closed/i.test(
    error.message,
  );
}

/**
 * Postgres for one role. `query` and `transaction` of the server's role always name the app; row-level
 * security shows that app's rows and no others. The operator's role passes `undefined` (cross-app work).
 */
export class Database {
  readonly #pool: pg.Pool;
  readonly #broken = new WeakMap<pg.PoolClient, Error>();
  readonly #pooler: Pooler;
  readonly #shared = new SharedConnection(() => this.#connect());
  readonly #lookUps = new Gathering((appId, statement) => this.#lookUp(appId, statement));
  readonly #writes = new Gathering((appId, statement) => this.#alone(appId, statement));
  readonly #observe: DatabaseOptions['observe'];
  readonly #observeCommit: DatabaseOptions['observeCommit'];

  constructor(options: DatabaseOptions) {
    const { connection, ofApps = false, pooler } = options;
    const settings = [connection.options, ofApps && lookUpOptions].filter(Boolean).join(' ');
    this.#pooler = pooler;
    this.#observe = options.observe;
    this.#observeCommit = options.observeCommit;
    this.#pool = new pg.Pool({
      ...connection,
      max: options.poolSize ?? 10,
      application_name: options.applicationName,
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
      // Poolers refuse these as parameters of a connection: there they come with each transaction.
      ...(pooler ? {} : { ...limits, ...(settings === '' ? {} : { options: settings }) }),
      query_timeout: QUERY_LIMIT_MS,
      keepAlive: true,
      types: typeParsers,
      // Statements that do not wait for one another are one round trip.
      pipeline: true,
      // It is waited for, which its type does not say; and meanwhile the pool hears when the new connection is closed at once.
      onConnect: ((client: pg.ClientBase) => prepareBesides(client, pooler)) as never,
    } as pg.PoolConfig);
    // Without a listener a lost idle connection ends the process.
    this.#pool.on('error', (error) => options.log('database connection lost', { err: error }));
    // One for as long as it is there: while it is lent out, nobody else listens.
    this.#pool.on('connect', (client) => client.on('error', (error) => this.#broken.set(client, error)));
  }

  /** One statement in its own transaction, in one round trip. Throws a Problem `store.unavailable` when Postgres is away. */
  async query<Row = Record<string, unknown>>(
    appId: string | undefined,
    statement: Statement,
  ): Promise<Row[]> {
    return this.#alone(appId, statement);
  }

  /**
   * The same for a statement that finds its rows by their keys and waits for no lock: it shares a connection with others
   * (shared-connection.ts), and with those that ask the same about others it is one statement (gathering.ts).
   */
  async lookUp<Row = Record<string, unknown>>(
    appId: string | undefined,
    statement: Statement,
  ): Promise<Row[]> {
    const isHasty = (remainingMs() ?? Infinity) < SHARING_MS;
    if (appId === undefined || !statement.lists || isHasty) return this.#lookUp(appId, statement);
    return this.#lookUps.ask(appId, statement) as Promise<Row[]>;
  }

  /**
   * One statement with lists that writes, and may be one with those of others, in a transaction of its own. It leaves out whoever's
   * rows it does not get at once; who spends a thing waits for nobody but another who spends the same.
   */
  async writeTogether<Row = Record<string, unknown>>(appId: string, statement: Statement): Promise<Row[]> {
    if ((remainingMs() ?? Infinity) < SHARING_MS) return this.#alone(appId, statement);
    return this.#writes.ask(appId, statement) as Promise<Row[]>;
  }

  async #lookUp<Row>(appId: string | undefined, statement: Statement): Promise<Row[]> {
    // Behind a pooler a connection is none for longer than a transaction; and whoever gives up soon gives up a connection.
    const isAlone = this.#pooler !== undefined || (remainingMs() ?? Infinity) < SHARING_MS;
    return this.#alone(appId, statement, isAlone ? undefined : () => this.#shared.borrow());
  }

  async #alone<Row>(
    appId: string | undefined,
    statement: Statement,
    borrow?: () => Promise<Loan>,
  ): Promise<Row[]> {
    return this.#withClient(async (client) => {
      this.#observe?.(statement);
      const ahead = (statement.lists ? scopeOfMany : scopeOf)(appId, this.#pooler);
      const { rows } = await send(client, statement, this.#sending(ahead));
      this.#observeCommit?.([statement]);
      return rows as Row[];
    }, borrow);
  }

  /** Several statements, all or nothing. Commits when `work` resolves, rolls back when it throws. */
  async transaction<T>(appId: string | undefined, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const afterwards: (() => Promise<void> | void)[] = [];
    const outcome = await this.#withClient(async (client) => {
      const sent: Statement[] = [];
      let isOver = false;
      let cause: unknown;
      const ask = (isLast: boolean) => (statement: Statement) =>
        asked(statement, isLast).catch((error: unknown) => {
          cause ??= error;
          throw error;
        });
      const asked = async (statement: Statement, isLast: boolean): Promise<never[]> => {
        if (isOver) throw new TransactionIsOver();
        // Until it is sent: of several that are asked together none goes without one that could not go.
        isOver = true;
        this.#observe?.(statement);
        const isFirst = sent.length === 0;
        // Alone it is a transaction by itself; without any there is nothing to begin, nor to end.
        const isAlone = isFirst && isLast;
        const ahead = isFirst ? (isAlone ? scopeOf : openingOf)(appId, this.#pooler) : [];
        const behind = isLast && !isAlone ? closingOf(this.#pooler) : undefined;
        const sending = this.#sending(ahead, behind);
        if (!isAlone) sent.push(statement);
        // What is asked without waiting for this goes with it.
        holdBack(socketOf(client), process.nextTick);
        const answered = send(client, statement, sending);
        isOver = false;
        const { rows } = await answered;
        if (isLast) {
          const committed = isAlone ? [statement] : sent.splice(0);
          this.#observeCommit?.(committed);
        }
        return rows as never[];
      };
      try {
        const value = await work({
          query: ask(false),
          conclude: ask(true),
          afterCommit: (after) => afterwards.push(after),
        });
        isOver = true;
        if (sent.length === 0) return value;
        const commit = await client.query({ text: 'commit', ...timeLimit() });
        // Postgres answers a commit of a failed transaction with ROLLBACK, not with an error.
        if (commit.command !== 'COMMIT') throw new Error('the transaction was rolled back');
        this.#observeCommit?.(sent);
        return value;
      } catch (error) {
        isOver = true;
        if (sent.length > 0) await rollBack(client);
        // Of what was asked together what failed because of another may be heard of first.
        throw isConsequence(error) ? (cause ?? error) : error;
      }
    });
    if (afterwards.length > 0) await runAll(afterwards);
    return outcome;
  }

  /** Throws a Problem `store.unavailable` unless Postgres answers. */
  async ping(): Promise<void> {
    await this.#withClient((client) => client.query('select 1'));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  #sending(ahead: readonly Beside[], behind?: Beside): Sending {
    return { ahead, behind, timeoutMs: timeLimit().query_timeout, pooler: this.#pooler };
  }

  /** A connection. Where Postgres has no more to give, one of ours comes back soon. */
  async #connect(): Promise<pg.PoolClient> {
    for (const until = performance.now() + CONNECT_LIMIT_MS; ; await sleep(AGAIN_MS))
      try {
        return await this.#connectInTime();
      } catch (error) {
        const isFull = (error as { code?: unknown }).code === TOO_MANY_CONNECTIONS;
        if (!isFull || this.#pool.totalCount === 0 || performance.now() > until) throw error;
      }
  }

  /** If there is one before the request has to be answered. */
  async #connectInTime(): Promise<pg.PoolClient> {
    const left = remainingMs();
    if (left !== undefined && left <= 0) throw outOfTime();
    const asked = this.#pool.connect();
    if (left === undefined || left >= CONNECT_LIMIT_MS) return asked;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), left);
    });
    const client = await Promise.race([asked, late]).finally(() => clearTimeout(timer));
    if (client) return client;
    // The one that comes too late is for somebody else.
    asked.then((unused) => unused.release()).catch(() => {});
    throw outOfTime();
  }

  /** A connection for this alone. */
  readonly #own = async (): Promise<Loan> => {
    const client = await this.#connect();
    return { client, end: (broken) => client.release(broken) };
  };

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>, borrow = this.#own): Promise<T> {
    let loan: Loan;
    // Whoever would only wait for a time-out is told so now, and may come again when it makes sense.
    if (this.#pool.waitingCount >= MOST_WAITING)
      throw unavailable('Postgres', new Error(`${MOST_WAITING} are waiting for a connection already`));
    try {
      loan = await borrow();
    } catch (error) {
      // No time-out ends this one, so it is none of those that may come again.
      if (/unsupported startup parameter/.test((error as Error).message))
        throw new Error('a connection pooler is in front of Postgres: set DATABASE_POOLER', { cause: error });
      throw unavailable('Postgres', error);
    }
    const { client } = loan;
    try {
      return await work(client);
    } catch (error) {
      if (UNSTORABLE.has((error as { code?: unknown }).code)) throw unstorableText(error);
      if (!isUnavailable(error)) throw error;
      this.#broken.set(client, error as Error);
      throw unavailable('Postgres', error);
    } finally {
      loan.end(this.#broken.get(client));
    }
  }
}

/** A connection that can not is thrown away with its transaction. */
const rollBack = (client: pg.PoolClient): Promise<unknown> =>
  client
    .query({ text: 'rollback', query_timeout: ROLLBACK_LIMIT_MS } as pg.QueryConfig)
    .catch((failure: unknown) => client.emit('error', failure as Error));

/** What follows a commit, however late its request is. */
const runAll = (afterwards: readonly (() => Promise<void> | void)[]): Promise<void> =>
  withDeadline(Math.max(AFTERWARDS_MS, remainingMs() ?? 0), async () => {
    for (const after of afterwards) await after();
  });

class TransactionIsOver extends Error {
  constructor() {
    super('the transaction is over');
  }
}

const IN_FAILED_TRANSACTION = '25P02';

const isConsequence = (error: unknown): boolean =>
  error instanceof TransactionIsOver ||
  (error as { code?: unknown } | undefined)?.code === IN_FAILED_TRANSACTION;

const outOfTime = (): Error => unavailable('Postgres', new Error('the request has taken too long'));

/** What is left of the time of its request, for pg, which has one limit for all others. Where nothing is left, it is not sent any more. */
function timeLimit(): { query_timeout?: number } {
  const left = remainingMs();
  if (left === undefined || left >= QUERY_LIMIT_MS) return {};
  if (left <= 0) throw outOfTime();
  return { query_timeout: Math.ceil(left) };
}

export type Queryable = Pick<Transaction, 'query'>;

/** The database narrowed to one app, for single statements outside a transaction. */
export function scoped(db: Database, appId: string): Queryable {
  return { query: (statement) => db.query(appId, statement) };
}

/** The same for statements that find their rows by their keys and wait for no lock. */
export function lookingUp(db: Database, appId: string): Queryable {
  return { query: (statement) => db.lookUp(appId, statement) };
}

/** The same for statements with lists that write (`writeTogether`). */
export function writingTogether(db: Database, appId: string): Queryable {
  return { query: (statement) => db.writeTogether(appId, statement) };
}
