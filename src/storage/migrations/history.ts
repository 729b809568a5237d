import type pg from 'pg';
import { type Migration, numberOf } from './file.ts';

/** What was applied: the checksum, and from which migration on a program has to know the schema to work on it. */
export type Applied = { name: string; checksum: string; serves: string | null };

/** Makes the table where it is missing. Only with the lock. Whether it was that of the first release. */
export async function ensureHistory(client: pg.Client): Promise<boolean> {
  await client.query(`create table if not exists schema_migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default now(), serves text)`);
  // Asked before, because even a change that changes nothing locks the table.
  const isFirst = !(await hasServes(client));
  if (isFirst) await client.query('alter table schema_migrations add column serves text');
  await client.query('grant select on schema_migrations to latchkey_server, latchkey_operator');
  return isFirst;
}

/** Nothing where there is no table yet. */
export async function readHistory(client: pg.Client): Promise<Applied[]> {
  const { rows } = await client.query<{ there: boolean }>(
    "select to_regclass('schema_migrations') is not null as there",
  );
  if (!rows[0]!.there) return [];
  const serves = (await hasServes(client)) ? 'serves' : 'null as serves';
  return (
    await client.query<Applied>(`select name, checksum, ${serves} from schema_migrations order by name`)
  ).rows;
}

async function hasServes(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(
    "select from pg_attribute where attrelid = 'schema_migrations'::regclass and attname = 'serves' and not attisdropped",
  );
  return rows.length > 0;
}

/** `note` is what nothing has to be done about: a schema that is ahead of this program, which works on it all the same. */
export type Pending = { missing: Migration[]; note?: string };

/** What is to be applied. Throws, in one line, where this program and the database do not fit. */
export function pendingOf(migrations: readonly Migration[], applied: readonly Applied[]): Pending {
  const known = new Map(migrations.map((migration) => [migration.name, migration.checksum]));
  for (const { name, checksum } of applied)
    if (known.has(name) && known.get(name) !== checksum)
      throw new Error(
        `migration ${name} was changed after it had been applied; released migrations are never edited`,
      );
  const names = new Set(applied.map(({ name }) => name));
  const missing = migrations.filter(({ name }) => !names.has(name));
  const ahead = applied.filter(({ name }) => !known.has(name));
  if (ahead.length === 0) return { missing };
  const newest = numberOf(migrations.at(-1)?.name ?? '');
  const tooNew = ahead.find(({ serves }) => serves === null || serves > newest);
  if (tooNew)
    throw new Error(
      `the database is newer than this program: it has ${tooNew.name}. Start the newer release instead.`,
    );
  if (missing.length > 0)
    throw new Error(
      `the database is of another line of releases: it has ${ahead[0]!.name} and lacks ${missing[0]!.name}`,
    );
  return {
    missing,
    note: `the database is newer than this program, up to ${ahead.at(-1)!.name}, and works with it`,
  };
}
