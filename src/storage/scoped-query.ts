import type pg from 'pg';
import type { Pooler as KnownPooler } from '../config/config.ts';

/** A statement that runs ahead of another one or behind it, in the same message; what it answers is no part of the result. */
export type Beside = { name: string; text: string; values: string[] };

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
/** Of a list Postgres does not know how long it will be, takes ten for granted and would plan anew for each shorter one. */
const OF_MANY = { plan_cache_mode: 'force_generic_plan' };
const APP_ID = /^[a-z0-9_-]{1,48}$/;

/** What goes beside statements. All of it ends with the transaction: whoever gets the connection next meets none. */
const besides = {
  begin: { name: 'latchkey_begin', text: 'begin' },
  scope: { name: 'latchkey_scope', text: `select ${OF_APP}` },
  limits: { name: 'latchkey_limits', text: `select ${OF_LIMITS}` },
  scopeOfMany: { name: 'latchkey_scope_many', text: `select ${OF_APP}, ${set(OF_MANY)}` },
  commit: { name: 'latchkey_commit', text: 'commit' },
  scopeAndLimits: { name: 'latchkey_scope_limits', text: `select ${OF_APP}, ${OF_LIMITS}, ${set(LOOK_UP)}` },
  scopeOfManyAndLimits: {
    name: 'latchkey_scope_many_limits',
    text: `select ${OF_APP}, ${OF_LIMITS}, ${set({ ...LOOK_UP, ...OF_MANY })}`,
  },
};

const beside = (one: { name: string; text: string }, values: string[], pooler: Pooler): Beside => ({
  name: pooler === 'unprepared' ? '' : one.name,
  text: one.text,
  values,
});

/**
 * Makes the app known to row-level security until the transaction ends. Several statements of the extended protocol up to
 * one Sync are one transaction, so alone with its statement this needs neither begin nor commit.
 */
export function scopeOf(appId: string | undefined, pooler: Pooler): Beside[] {
  if (appId === undefined) return pooler ? [beside(besides.limits, [], pooler)] : [];
  if (!APP_ID.test(appId)) throw new Error('not an app_id');
  return [beside(pooler ? besides.scopeAndLimits : besides.scope, [appId], pooler)];
}

/** The same for a statement with lists. */
export function scopeOfMany(appId: string | undefined, pooler: Pooler): Beside[] {
  const scope = scopeOf(appId, pooler);
  if (appId === undefined) return scope;
  const { scopeOfMany: many, scopeOfManyAndLimits } = besides;
  return scope.map(({ values }) => beside(pooler ? scopeOfManyAndLimits : many, values, pooler));
}

/** The same for a transaction that goes on after its first statement. */
export const openingOf = (appId: string | undefined, pooler: Pooler): Beside[] => [
  beside(besides.begin, [], pooler),
  ...scopeOf(appId, pooler),
];

/** What ends a transaction. */
export const closingOf = (pooler: Pooler): Beside => beside(besides.commit, [], pooler);

/** A connection whose first answers do not come is none. */
const PREPARE_LIMIT_MS = 3000;

/** What every connection knows by name before it is used. */
export async function prepareBesides(client: pg.ClientBase, pooler: Pooler): Promise<void> {
  if (pooler === 'unprepared') return;
  const { begin, commit, limits: bounds } = besides;
  const scopes = pooler
    ? [besides.scopeAndLimits, besides.scopeOfManyAndLimits]
    : [besides.scope, besides.scopeOfMany];
  const asked = [
    ...scopes.map((one) => ({ ...one, values: [''] })),
    ...(pooler ? [{ ...bounds, values: [] }] : []),
    begin,
    commit,
  ];
  await Promise.all(
    asked.map((one) => client.query(Object.assign({ ...one }, { query_timeout: PREPARE_LIMIT_MS }))),
  );
}
