import pg from 'pg';
import type { Statement } from './sql.ts';

/** A statement that runs ahead of another one, in the same message; what it answers is skipped. */
type Ahead = { name: string; text: string; values: string[] };

const SCOPE = { name: 'latchkey_scope', text: "select set_config('latchkey.app_id', $1, true)" };
const BEGIN: Ahead = { name: 'latchkey_begin', text: 'begin', values: [] };
const APP_ID = /^[a-z0-9_-]{1,48}$/;

/**
 * Makes the app known to row-level security until the transaction ends. Several statements of the extended protocol up to
 * one Sync are one transaction, so alone with its statement this needs neither begin nor commit.
 */
export function scopeOf(appId: string | undefined): Ahead[] {
  if (appId === undefined) return [];
  if (!APP_ID.test(appId)) throw new Error('not an app_id');
  return [{ ...SCOPE, values: [appId] }];
}

/** The same for a transaction that goes on after its first statement. */
export const openingOf = (appId: string | undefined): Ahead[] => [BEGIN, ...scopeOf(appId)];

/** A connection whose first answers do not come is none. */
const PREPARE_LIMIT_MS = 3000;

/** What every connection knows by name before it is used. */
export async function prepareAhead(client: pg.ClientBase): Promise<void> {
  const { name, text } = BEGIN;
  const asked = [{ ...SCOPE, values: [''] }, { name, text }, { text: 'rollback' }];
  await Promise.all(
    asked.map((one) => client.query(Object.assign(one, { query_timeout: PREPARE_LIMIT_MS }))),
  );
}

/** The part of pg's connection that a query writes to. */
type Wire = {
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
    super({ ...statement }, done as never);
    this.#ahead = ahead;
    this.#pending = ahead.length;
    this.query_timeout = (statement as { query_timeout?: number }).query_timeout;
  }

  prepare(connection: Wire): void {
    for (const { name, values } of this.#ahead) {
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
