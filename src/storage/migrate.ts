import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { applyMigration, indexesToBuildBefore, PATIENCE, type Patience } from './migrations/apply.ts';
import { type Migration, readMigrations } from './migrations/file.ts';
import { changesTables, renewConnections } from './migrations/first-releases.ts';
import { ensureHistory, pendingOf, readHistory } from './migrations/history.ts';
import { watchWaits } from './migrations/waits.ts';
import { ensureRoles, type Roles } from './roles.ts';

export type MigrateOptions = Roles & {
  /** The owner's connection: may create roles, owns every table. */
  connection: pg.ClientConfig;
  migrationsDir: string;
  /** Only these migrations, by name with their checksums: the schema that a backup is of. */
  upTo?: ReadonlyMap<string, string>;
  log: (message: string, fields: object) => void;
  /** Before each statement of a migration: where a test ends the process. */
  before?: (statement: string) => Promise<void>;
  patience?: Patience;
};

/** A migration that is to be applied, in words. */
export type PlannedMigration = {
  name: string;
  locks: readonly string[] | undefined;
  serves: string | undefined;
  in_transaction: boolean;
  /** Built before it, while others read and write. */
  indexes: { name: string; table: string; bytes: number }[];
};

/** `note`: that the schema is ahead of this program, which works on it. */
export type Plan = { pending: PlannedMigration[]; note?: string };

/**
 * Arbitrary but fixed. Whoever holds ONE migrates. Releases before 0.2 know the second alone, and wait for it in a way
 * that an index built meanwhile would wait for in turn: so it is held for short only.
 */
const ONE = 7_355_609;
const FIRST_RELEASES = 7_355_608;
const ASK_AGAIN_MS = 100;

/**
 * Brings the schema up to date, under an advisory lock: each file in a transaction unless it says otherwise, each checked
 * against the checksum it was applied with. Returns the names applied now. Throws when the database is newer than this
 * program and does not say that it works with it.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const { connection, log } = options;
  const watch = watchWaits(connection);
  const client = await connect(connection);
  try {
    await refusePooler(client);
    await take(client, ONE, log);
    await take(client, FIRST_RELEASES, log);
    const { missing, note } = pendingOf(await migrationsFor(options), await readHistory(client));
    if (note !== undefined) log(note, {});
    await ensureRoles(client, options);
    const isFirst = await ensureHistory(client);
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const unlocked = async <T>(work: () => Promise<T>): Promise<T> => {
      await client.query('select pg_advisory_unlock($1)', [FIRST_RELEASES]);
      const done = await work();
      await take(client, FIRST_RELEASES, log);
      return done;
    };
    const { before, patience = PATIENCE } = options;
    const applying = { client, pid: rows[0]!.pid, watch, log, before, patience, unlocked };
    for (const migration of missing) {
      await applyMigration(applying, migration);
      log('migration applied', { migration: migration.name });
      if (isFirst && changesTables(migration))
        await renewConnections(client, [options.server.user, options.operator.user], log);
    }
    return missing.map(({ name }) => name);
  } finally {
    await Promise.all([client.end(), watch.close()]);
  }
}

/** What `migrate` would do. Changes nothing. */
export async function planMigrations(
  options: Pick<MigrateOptions, 'connection' | 'migrationsDir'>,
): Promise<Plan> {
  const client = await connect(options.connection);
  try {
    const { missing, ...notes } = pendingOf(await migrationsFor(options), await readHistory(client));
    const pending: PlannedMigration[] = [];
    for (const migration of missing) pending.push(await planned(client, migration));
    return { pending, ...notes };
  } finally {
    await client.end();
  }
}

async function planned(client: pg.Client, migration: Migration): Promise<PlannedMigration> {
  const { name, locks, serves, inTransaction } = migration;
  const indexes = inTransaction ? await indexesToBuildBefore(client, migration) : [];
  const { rows } = await client.query<{ bytes: string }>(
    'select pg_relation_size(to_regclass(t)) as bytes from unnest($1::text[]) with ordinality as u (t, n) order by n',
    [indexes.map(({ table }) => table)],
  );
  return {
    name,
    locks,
    serves,
    in_transaction: inTransaction,
    indexes: indexes.map((index, n) => ({
      name: index.name,
      table: index.table,
      bytes: Number(rows[n]!.bytes),
    })),
  };
}

async function connect(connection: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ ...connection, application_name: 'latchkey-migrate' });
  client.on('error', () => {}); // the statement that it was lost under tells
  await client.connect();
  return client;
}

/** A pooler would give the locks of this session to whoever comes next, or to nobody; it announces itself by another process id. */
async function refusePooler(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const { processID } = client as unknown as { processID: number | null };
  if (processID !== null && rows[0]!.pid !== processID)
    throw new Error(
      'the owner gets to a connection pooler, where migrations can not lock: let DATABASE_MIGRATION_URL lead to Postgres itself',
    );
}

/** Asks again and again: a statement that waits here would be older than an index that is built, which waits for it. */
async function take(client: pg.Client, lock: number, log: MigrateOptions['log']): Promise<void> {
  for (let isTold = false; ; isTold = true) {
    const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [lock]);
    if (rows[0]!.got) return;
    if (!isTold) log('another process migrates: waiting until it is done', {});
    await sleep(ASK_AGAIN_MS);
  }
}

async function migrationsFor(options: Pick<MigrateOptions, 'migrationsDir' | 'upTo'>): Promise<Migration[]> {
  const all = await readMigrations(options.migrationsDir);
  const { upTo } = options;
  if (!upTo) return all;
  for (const [name, checksum] of upTo)
    if (all.find((migration) => migration.name === name)?.checksum !== checksum)
      throw new Error(`the backup is of another release: this one does not know its migration ${name}`);
  return all.filter((migration) => upTo.has(migration.name));
}
