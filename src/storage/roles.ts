import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export type Login = { user: string; password?: string | undefined };

/** The two roles the program runs as. They own nothing, bypass nothing and can not become anyone else. */
export type Roles = { server: Login; operator: Login };

/**
 * `latchkey_server` and `latchkey_operator` are what grants and policies name. A login with another name
 * becomes a member that inherits the rights and may not `set role`.
 */
export async function ensureRoles(client: pg.Client, options: Roles): Promise<void> {
  for (let tries = 1; ; tries += 1)
    try {
      return await makeRoles(client, options);
    } catch (error) {
      if (tries === MOST_TRIES || !isOvertaken(error)) throw error;
      await sleep(tries * 50);
    }
}

const MOST_TRIES = 5;

/** Roles are the whole server's, locks one database's: another database of it may be made ready at this very moment. */
const isOvertaken = (error: unknown): boolean =>
  error instanceof pg.DatabaseError &&
  (error.code === '42710' || error.code === '23505' || /tuple concurrently/.test(error.message));

async function makeRoles(client: pg.Client, options: Roles): Promise<void> {
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
  else if (password || (login && !found.can_login)) await client.query(`alter role ${role}${credentials}`);
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
