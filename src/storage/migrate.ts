import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

export type Login = { user: string; password?: string | undefined };

export type MigrateOptions = {
  /** The owner's connection: may create roles, owns every table. */
  connection: pg.ClientConfig;
  migrationsDir: string;
  /** The two roles the program runs as. They own nothing, bypass nothing and can not become anyone else. */
  server: Login;
  operator: Login;
  /** Only these migrations, by name with their checksums: the schema that a backup is of. */
  upTo?: ReadonlyMap<string, string>;
  log: (message: string, fields: object) => void;
};

type Migration = { name: string; text: string; checksum: string };

/** Arbitrary but fixed: whoever holds it migrates. */
const LOCK = 7_355_608;

/**
 * Brings the schema up to date: one transaction per file, under an advisory lock, each checked against the
 * checksum it was applied with. Returns the names applied now. Throws when the database is newer than this program.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const client = new pg.Client({ ...options.connection, application_name: 'latchkey-migrate' });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    await ensureRoles(client, options);
    const all = await readMigrations(options.migrationsDir);
    const migrations = options.upTo ? schemaOf(options.upTo, all) : all;
    const applied = await appliedMigrations(client);
    refuseForeignHistory(migrations, applied);
    const missing = migrations.filter((migration) => !applied.has(migration.name));
    for (const migration of missing) {
      await applyOne(client, migration);
      options.log('migration applied', { migration: migration.name });
    }
    return missing.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(dir, name), 'utf8');
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

async function appliedMigrations(client: pg.Client): Promise<Map<string, string>> {
  await client.query(`create table if not exists schema_migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default now())`);
  await client.query('grant select on schema_migrations to latchkey_server, latchkey_operator');
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from schema_migrations',
  );
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

function schemaOf(upTo: ReadonlyMap<string, string>, all: Migration[]): Migration[] {
  for (const [name, checksum] of upTo)
    if (all.find((migration) => migration.name === name)?.checksum !== checksum)
      throw new Error(`the backup is of another release: this one does not know its migration ${name}`);
  return all.filter((migration) => upTo.has(migration.name));
}

function refuseForeignHistory(migrations: Migration[], applied: Map<string, string>): void {
  const known = new Map(migrations.map((migration) => [migration.name, migration.checksum]));
  for (const [name, checksum] of applied) {
    if (!known.has(name))
      throw new Error(
        `the database is newer than this program: it has ${name}. Start the newer release instead.`,
      );
    if (known.get(name) !== checksum)
      throw new Error(
        `migration ${name} was changed after it had been applied; released migrations are never edited`,
      );
  }
}

async function applyOne(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query("set local lock_timeout = '2s'");
    await client.query(keepingIndexes(migration.text));
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [
      migration.name,
      migration.checksum,
    ]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error(`migration ${migration.name} failed and was rolled back`, { cause: error });
  }
}

/** An index that an operator has built beforehand, `concurrently`, is taken as it is. Not a unique one: that is a rule. */
const keepingIndexes = (text: string): string =>
  text.replace(/^create index (?=\w+ on )/gm, 'create index if not exists ');

/**
 * `latchkey_server` and `latchkey_operator` are what grants and policies name. A login with another name
 * becomes a member that inherits the rights and may not `set role`.
 */
async function ensureRoles(client: pg.Client, options: MigrateOptions): Promise<void> {
  for (const [group, login] of [
    ['latchkey_server', options.server],
    ['latchkey_operator', options.operator],
  ] as const) {
    await ensureRole(client, group, login.user === group ? login.password : undefined, login.user === group);
    if (login.user !== group) {
      await ensureRole(client, login.user, login.password, true);
      await client.query(`grant ${group} to ${pg.escapeIdentifier(login.user)} with inherit true, set false`);
    }
    await client.query(`grant usage on schema public to ${group}`);
  }
}

async function ensureRole(
  client: pg.Client,
  name: string,
  password: string | undefined,
  login: boolean,
): Promise<void> {
  const { rows } = await client.query<{ usable: boolean; can_login: boolean }>(
    'select not (rolsuper or rolbypassrls or rolcreaterole) as usable, rolcanlogin as can_login from pg_roles where rolname = $1',
    [name],
  );
  const found = rows[0];
  const role = pg.escapeIdentifier(name);
  const credentials = `${login ? ' login' : ''}${password ? ` password ${pg.escapeLiteral(password)}` : ''}`;
  if (found && !found.usable) {
    throw new Error(`the role ${name} can bypass row-level security; give the server a role of its own`);
  }
  if (!(await mayChangeRoles(client))) {
    // Where roles are made by somebody else (a managed database), they have made its password too.
    if (found && (found.can_login || !login)) return;
    throw new Error(
      `the role ${name} ${found ? 'can not log in' : 'is missing'}, and the owner may not create roles: make it, or give the owner CREATEROLE`,
    );
  }
  if (!found)
    await client.query(`create role ${role} nosuperuser nobypassrls nocreatedb nocreaterole${credentials}`);
  else if (credentials) await client.query(`alter role ${role}${credentials}`);
}

async function mayChangeRoles(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    'select rolsuper or rolcreaterole as may from pg_roles where rolname = current_user',
  );
  return rows[0]!.may;
}

/** Refuses to serve as a role that could see past row-level security or own what it guards. */
export async function assertServerRole(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    const { rows } = await client.query<{ role: string; strong: boolean; owns: boolean; may_set: boolean }>(`
      select current_user as role, r.rolsuper or r.rolbypassrls or r.rolcreaterole as strong,
        exists (select from pg_class c where c.relowner = r.oid) as owns,
        exists (select from pg_auth_members m where m.member = r.oid and m.set_option) as may_set
      from pg_roles r where r.rolname = current_user`);
    const found = rows[0]!;
    const faults = [
      found.strong ? 'may bypass row-level security or create roles' : '',
      found.owns ? 'owns tables' : '',
      found.may_set ? 'may "set role" to another role' : '',
    ].filter(Boolean);
    if (faults.length)
      throw new Error(
        `DATABASE_URL logs in as ${found.role}, which ${faults.join(' and ')}. Use a role of its own and put the owner into DATABASE_MIGRATION_URL.`,
      );
  } finally {
    await client.end();
  }
}
