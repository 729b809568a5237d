import pg from 'pg';
import type { Pooler as KnownPooler } from '../config/config.ts';
import type { Statement } from './sql.ts';

/** A statement that runs ahead of another one, in the same message; what it answers is skipped. */
type Ahead = { name: string; text: string; values: string[] };

/** How long Postgres works on a statement, and waits for the next one of a transaction. */
export const limits = { statement_timeout: 10_000, idle_in_transaction_session_timeout: 15_000 };

/**
 * All that is asked in an app's name is looked up by an index. Plans are kept for as long as their connection, and one that
 * was made while a table was small must not read all of it when it is not any more.
 */
const LOOK_UP = { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' };

/** For a connection in an app's name, where no pooler takes settings away from it. */
export const lookUpOptions = Object.entries(LOOK_UP)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

/**
 * What is between here and Postgres: nothing, or a pooler that gives out its connections for a transaction. That may know
 * statements by name, and knows no more of a client.
 */
export type Pooler = KnownPooler | undefined;

const OF_APP = "set_config('latchkey.app_id', $1, true)";
const set = (settings: object): string =>
  Object.entries(settings)
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(', ');
const OF_LIMITS = set(limits);
const APP_ID = /^[a-z0-9_-]{1,48}$/;

/** What goes ahead of statements. Like all of it, it ends with the transaction: whoever gets the connection next meets none. */
const aheads = {
  begin: { name: 'latchkey_begin', text: 'begin' },
  scope: { name: 'latchkey_scope', text: `select ${OF_APP}` },
  limits: { name: 'latchkey_limits', text: `select ${OF_LIMITS}` },
  scopeAndLimits: { name: 'latchkey_scope_limits', text: `select ${OF_APP}, ${OF_LIMITS}, ${set(LOOK_UP)}` },
};

const ahead = (one: { name: string; text: string }, values: string[], pooler: Pooler): Ahead => ({
  name: pooler === 'unprepared' ? '' : one.name,
  text: one.text,
  values,
});

/**
 * Makes the app known to row-level security until the transaction ends. Several statements of the extended protocol up to
 * one Sync are one transaction, so alone with its statement this needs neither begin nor commit.
 */
export function scopeOf(appId: string | undefined, pooler: Pooler): Ahead[] {
  if (appId === undefined) return pooler ? [ahead(aheads.limits, [], pooler)] : [];
  if (!APP_ID.test(appId)) throw new Error('not an app_id');
  return [ahead(pooler ? aheads.scopeAndLimits : aheads.scope, [appId], pooler)];
}

/** The same for a transaction that goes on after its first statement. */
export const openingOf = (appId: string | undefined, pooler: Pooler): Ahead[] => [
  ahead(aheads.begin, [], pooler),
  ...scopeOf(appId, pooler),
];

/** A connection whose first answers do not come is none. */
const PREPARE_LIMIT_MS = 3000;

/** What every connection knows by name before it is used. */
export async function prepareAhead(client: pg.ClientBase, pooler: Pooler): Promise<void> {
  if (pooler === 'unprepared') return;
  const { begin, scope, limits: bounds, scopeAndLimits } = aheads;
  const settings = pooler
    ? [
        { ...scopeAndLimits, values: [''] },
        { ...bounds, values: [] },
      ]
    : [{ ...scope, values: [''] }];
  const asked = [...settings, begin, { text: 'rollback' }];
  await Promise.all(
    asked.map((one) => client.query(Object.assign({ ...one }, { query_timeout: PREPARE_LIMIT_MS }))),
  );
}

/** The part of pg's connection that a query writes to. */
type Wire = {
  parse(at: { text: string; name: string; types: [] }): void;
  bind(at: { statement: string; values: string[] }): void;
  execute(at: object): void;
};
/** The methods of pg's own class that its types leave out. */
type Inner = {
  prepare(connection: Wire): void;
  handleDataRow(message: object): void;
  handleCommandComplete(message: object, connection: Wire): void;
};
const inner = pg.Query.prototype as unknown as Inner;

/** One message with a statement and all that goes ahead of it; one answer. */
class ScopedQuery extends pg.Query {
  readonly #ahead: readonly Ahead[];
  #pending: number;
  /** Read by pg: how long to wait for it. */
  readonly query_timeout: number | undefined;

  constructor(
    statement: Statement,
    ahead: readonly Ahead[],
    done: (error: Error | null, result: pg.QueryResult) => void,
  ) {
    // Never as a simple query, ahead of which nothing goes.
    super({ ...statement, queryMode: 'extended' } as Statement, done as never);
    this.#ahead = ahead;
    this.#pending = ahead.length;
    this.query_timeout = (statement as { query_timeout?: number }).query_timeout;
  }

  prepare(connection: Wire): void {
    for (const { name, text, values } of this.#ahead) {
      if (name === '') connection.parse({ text, name, types: [] });
      connection.bind({ statement: name, values });
      connection.execute({});
    }
    inner.prepare.call(this, connection);
  }

  handleDataRow(message: object): void {
    if (this.#pending === 0) inner.handleDataRow.call(this, message);
  }

  handleCommandComplete(message: object, connection: Wire): void {
    if (this.#pending === 0) inner.handleCommandComplete.call(this, message, connection);
    else this.#pending -= 1;
  }
}

/** The statement as it may be sent: with its name, where that is known again. */
export const named = (statement: Statement, pooler: Pooler): Statement =>
  pooler === 'unprepared' ? { ...statement, name: '' } : statement;

/** Runs a statement on a connection that `prepareAhead` has prepared. */
export async function send(
  client: pg.ClientBase,
  statement: Statement,
  ahead: readonly Ahead[],
): Promise<pg.QueryResult> {
  try {
    return await new Promise((resolve, reject) => {
      client.query(
        new ScopedQuery(statement, ahead, (error, result) => (error ? reject(error) : resolve(result))),
      );
    });
  } catch (error) {
    // Its own leads to the socket, and not to whoever asked.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  }
}
