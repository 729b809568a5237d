import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate, type MigrateOptions } from '../../src/storage/migrate.ts';
import type { Connection } from './servers.ts';
import { migrationsDir } from './stores.ts';

/** Gives up soon, so that nothing has to be waited for. */
export const IMPATIENT = { lock: 100, attempts: 3, firstPause: 1, longestPause: 1, index: 60_000 };

/** The migrations that are there, or those of them that are wanted, and others. Who makes it removes it. */
export function migrationsWith(
  more: Record<string, string>,
  wanted: (name: string) => boolean = () => true,
): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
  for (const name of readdirSync(migrationsDir).filter(wanted))
    copyFileSync(join(migrationsDir, name), join(dir, name));
  for (const [name, text] of Object.entries(more)) writeFileSync(join(dir, name), text);
  return dir;
}

export const removeMigrations = (dir: string): void => rmSync(dir, { recursive: true });

export const migrateAt = (at: Connection, more: Partial<MigrateOptions> = {}): Promise<string[]> =>
  migrate({
    connection: { ...at, user: 'postgres' },
    migrationsDir,
    server: { user: 'latchkey_server' },
    operator: { user: 'latchkey_operator' },
    log: () => {},
    ...more,
  });

/** As the owner, on a connection that the caller ends. */
export async function ownerOf(at: Connection): Promise<pg.Client> {
  const client = new pg.Client({ ...at, user: 'postgres', application_name: 'somebody' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export type TableLock = { table: string; mode: string };

/** Which tables a migration that is about to commit has locked, and how: only those that others see already. */
export const locksOfMigration = (client: pg.Client): Promise<TableLock[]> =>
  locksWhere(client, "a.application_name = 'latchkey-migrate'");

/** Those that a statement takes, which is not done in the end. */
export async function locksOfStatement(client: pg.Client, statement: string): Promise<TableLock[]> {
  await client.query('begin');
  await client.query(statement);
  const taken = await locksWhere(client, 'a.pid = pg_backend_pid()');
  await client.query('rollback');
  return taken;
}

async function locksWhere(client: pg.Client, whose: string): Promise<TableLock[]> {
  const { rows } = await client.query<TableLock>(`
    select distinct c.relname as "table", l.mode
    from pg_locks l join pg_class c on c.oid = l.relation and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
    join pg_stat_activity a on a.pid = l.pid and ${whose}
    where l.granted and l.database = (select oid from pg_database where datname = current_database())
      and c.relname <> 'schema_migrations' and l.mode not in ('AccessShareLock', 'RowShareLock')`);
  return rows;
}

/** `AccessExclusiveLock` is what SQL calls access exclusive. */
export const modeInWords = (mode: string): string =>
  mode
    .replace(/Lock$/, '')
    .replace(/(?<=[a-z])[A-Z]/g, ' $&')
    .toLowerCase();

/** Weakest first; each of ours conflicts with all that a weaker one conflicts with. */
export const MODES = [
  'row exclusive',
  'share update exclusive',
  'share',
  'share row exclusive',
  'exclusive',
  'access exclusive',
];

/** Everything about the schema that a migration could leave otherwise. */
export async function schemaOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(`
    select format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) as line
      from information_schema.columns where table_schema = 'public'
    union all select indexdef || ' ' || (select indisvalid from pg_index where indexrelid = format('%I', indexname)::regclass)
      from pg_indexes where schemaname = 'public'
    union all select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      from pg_constraint where connamespace = 'public'::regnamespace
    union all select format('policy %s %s %s %s', tablename, policyname, roles, qual) from pg_policies
    union all select format('grant %s %s %s', table_name, grantee, privilege_type) from information_schema.role_table_grants
      where table_schema = 'public'
    union all select format('rls %s %s %s', relname, relrowsecurity, relforcerowsecurity) from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r'
    union all select format('view %s %s', viewname, definition) from pg_views where schemaname = 'public'
    order by 1`);
  return rows.map(({ line }) => line);
}
