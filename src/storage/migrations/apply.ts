import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Migration } from './file.ts';
import { concurrentIndexOf, type Index, inOneLine, plainIndexOf, statementsOf } from './statements.ts';
import { type Wait, type WaitWatch, waitInWords } from './waits.ts';

export type Applying = {
  client: pg.Client;
  /** The process that serves `client`. */
  pid: number;
  watch: WaitWatch;
  log: (message: string, fields: object) => void;
  patience: Patience;
  /** Before each statement: where a test ends the process. */
  before?: ((statement: string) => Promise<void>) | undefined;
  /** Runs `work` while a program of an older release may look at what was applied. */
  unlocked<T>(work: () => Promise<T>): Promise<T>;
};

/** Milliseconds, and how often. */
export type Patience = {
  lock: number;
  attempts: number;
  firstPause: number;
  longestPause: number;
  index: number;
};

/** A minute and a half for a lock; ten minutes for an index. */
export const PATIENCE: Patience = {
  // Whoever waits for a lock holds up all who come after: so not for long, and again when those have been let through.
  lock: 1000,
  attempts: 20,
  firstPause: 250,
  longestPause: 4000,
  // Building an index waits for transactions that are older than itself (a backup is one), and holds up nobody meanwhile.
  index: 600_000,
};

const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';
const UNDEFINED = new Set(['42703', '42P01', '42883']);

/** One migration, as a whole or, if its file says so, statement by statement. */
export async function applyMigration(at: Applying, migration: Migration): Promise<void> {
  const statements = statementsOf(migration.text);
  try {
    if (!migration.inTransaction) {
      await at.unlocked(() => runEach(at, migration, statements));
      await record(at.client, migration);
      return;
    }
    const indexes = await indexesToBuildBefore(at.client, migration);
    if (indexes.length > 0) await at.unlocked(() => buildBefore(at, migration, indexes));
    await again(at, migration, [LOCK_NOT_AVAILABLE, DEADLOCK], () => runTogether(at, migration, statements));
  } catch (error) {
    const left = migration.inTransaction
      ? 'failed and was rolled back'
      : 'failed; what it had done stays, and the next start goes on';
    throw new Error(`migration ${migration.name} ${left}`, { cause: error });
  }
}

const record = (client: pg.Client, { name, checksum, serves }: Migration): Promise<unknown> =>
  client.query('insert into schema_migrations (name, checksum, serves) values ($1, $2, $3)', [
    name,
    checksum,
    serves ?? null,
  ]);

async function runTogether(at: Applying, migration: Migration, statements: string[]): Promise<void> {
  const { client } = at;
  await client.query('begin');
  try {
    await client.query(`set local lock_timeout = ${at.patience.lock}`);
    for (const statement of statements) {
      const index = plainIndexOf(statement);
      await run(
        at,
        migration,
        index ? `create index if not exists ${index.name} ${index.definition}` : statement,
      );
    }
    await at.before?.('commit');
    await record(client, migration);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {}); // nor is there anything left of it where the connection is lost
    throw error;
  }
}

async function runEach(at: Applying, migration: Migration, statements: string[]): Promise<void> {
  for (const statement of statements) {
    const index = concurrentIndexOf(statement);
    const patience = index === undefined ? at.patience.lock : at.patience.index;
    // An index that has waited in vain so long is not begun anew.
    const codes = index === undefined ? [LOCK_NOT_AVAILABLE, DEADLOCK] : [DEADLOCK];
    await again(at, migration, codes, async () => {
      await at.client.query(`set lock_timeout = ${patience}`);
      if (index !== undefined) await dropUnfinished(at.client, index);
      await run(at, migration, statement);
    });
  }
  await at.client.query('reset lock_timeout');
}

/**
 * Indexes on tables that have rows: built in the transaction they would hold up every writer for as long as the table is
 * read. Built before it, `concurrently`, they hold up nobody, and the transaction finds them.
 */
export async function indexesToBuildBefore(client: pg.Client, { text }: Migration): Promise<Index[]> {
  const indexes = statementsOf(text).flatMap((statement) => plainIndexOf(statement) ?? []);
  const { rows } = await client.query<{ name: string }>({
    // The size and not the rows: the owner is under row-level security and sees none.
    text: `select i.name from unnest($1::text[], $2::text[]) as i (name, table_name)
      join pg_class t on t.oid = to_regclass(i.table_name)
      left join pg_index x on x.indexrelid = to_regclass(i.name)
      where x.indisvalid is not true and (x.indexrelid is not null or pg_relation_size(t.oid) > 0)`,
    values: [indexes.map(({ name }) => name), indexes.map(({ table }) => table)],
  });
  return indexes.filter(({ name }) => rows.some((row) => row.name === name));
}

async function buildBefore(at: Applying, migration: Migration, indexes: Index[]): Promise<void> {
  for (const { name, definition } of indexes) {
    at.log('building an index before the migration, while others read and write', {
      migration: migration.name,
      index: name,
    });
    try {
      await runEach(at, migration, [`create index concurrently ${name} ${definition}`]);
    } catch (error) {
      // On a column that the migration is still to make: then it is built there.
      if (!UNDEFINED.has(codeOf(error))) throw error;
    }
  }
}

/** What is left of an index whose building was interrupted: no query uses it, every writer keeps it. */
async function dropUnfinished(client: pg.Client, index: string): Promise<void> {
  const { rows } = await client.query(
    'select from pg_index where indexrelid = to_regclass($1) and not indisvalid',
    [index],
  );
  if (rows.length > 0) await client.query(`drop index concurrently if exists ${index}`);
}

/** Says what a statement waits for, and, if it was in vain, what it had waited for. */
async function run(
  { client, pid, watch, log, before }: Applying,
  migration: Migration,
  statement: string,
): Promise<void> {
  await before?.(statement);
  let last: Wait | undefined;
  try {
    await watch.during(pid, client.query(statement), (wait) => {
      if (last === undefined)
        log('a migration waits for a lock', {
          migration: migration.name,
          statement: inOneLine(statement),
          waits_for: waitInWords(wait),
        });
      last = wait;
    });
  } catch (error) {
    if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new LockNotHad(statement, last, error);
  }
}

/** Postgres gave up waiting for a lock. */
class LockNotHad extends Error {
  readonly code = LOCK_NOT_AVAILABLE;
  constructor(statement: string, wait: Wait | undefined, cause: unknown) {
    super(
      `"${inOneLine(statement)}" waits for ${wait ? waitInWords(wait) : 'a lock'}. End what holds it, and start again.`,
      { cause },
    );
  }
}

/** Tries again what did not get a lock, or lost a deadlock: as often as it may. */
async function again(
  at: Applying,
  migration: Migration,
  codes: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const { attempts, firstPause, longestPause } = at.patience;
  let pause = firstPause;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (!codes.includes(codeOf(error))) throw error;
      if (attempt === attempts) throw new Error(`gave up after ${attempts} attempts`, { cause: error });
      at.log('a migration did not get a lock and tries again', {
        migration: migration.name,
        attempt,
        of: attempts,
        in_ms: pause,
      });
    }
    await sleep(pause);
    pause = Math.min(pause * 2, longestPause);
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? '');
