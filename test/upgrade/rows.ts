import type pg from 'pg';

/** One row of each table that is large where there are many people, and the migration since which it can be written. */
export const LARGE: readonly { table: string; since: string; seed: string }[] = [
  {
    table: 'users',
    since: '0001',
    seed: "insert into users (app_id, user_id) values ('shop', 'usr_1')",
  },
  {
    table: 'passwords',
    since: '0001',
    seed: "insert into passwords (app_id, user_id, hash) values ('shop', 'usr_1', '$2b$10$')",
  },
  {
    table: 'sessions',
    since: '0001',
    seed: `insert into sessions (app_id, uid, session_id, digest, user_id, payload, expires_at, absolute_expires_at)
      values ('shop', 'u', 'ses_1', 'd', 'usr_1', '{}', now() + interval '1 day', now() + interval '1 day')`,
  },
  {
    table: 'refresh_tokens',
    since: '0001',
    seed: `insert into grants (app_id, grant_id, user_id, client_id, payload, expires_at)
        values ('shop', 'g', 'usr_1', 'shop', '{}', now() + interval '1 day');
      insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, payload, expires_at)
      values ('shop', 'd', 'own', 'g', 'shop', 'usr_1', '{}', now() + interval '1 day')`,
  },
  {
    table: 'audit_events',
    since: '0001',
    seed: `insert into audit_events (app_id, event_id, type, actor_type, user_id, result)
      values ('shop', 'evt_1', 'sign_in.succeeded', 'user', 'usr_1', 'success')`,
  },
  {
    table: 'spent',
    since: '0001',
    seed: `insert into spent (app_id, kind, digest, expires_at) values ('shop', 'code', 'digest-1', now() + interval '1 day')`,
  },
  {
    table: 'sign_in_failures',
    since: '0001',
    seed: `insert into sign_in_failures (app_id, subject, origin) values ('shop', 'subject-1', 'stranger')`,
  },
  {
    table: 'denied_tokens',
    since: '0001',
    seed: `insert into denied_tokens (app_id, jti, expires_at) values ('shop', 'jti-1', now() + interval '1 day')`,
  },
];

/** Tables that have few rows however many people there are. */
export const SMALL = ['apps', 'clients', 'client_secrets', 'signing_keys', 'deployment_keys'];

/** What the rows above belong to. */
export const APP = `insert into apps (app_id, name) values ('shop', 'Shop');
  insert into clients (app_id, client_id, name, type) values ('shop', 'shop', 'Shop', 'web')`;

/**
 * Fills a table up with copies of one of its rows, so that it is as large as somebody's. Texts that have to differ, or that
 * refer to another table, get a number: copies belong to copies, and to nobody who signs in.
 */
export async function multiply(client: pg.Client, table: string, rows: number): Promise<void> {
  const { rows: columns } = await client.query<{ name: string; numbered: boolean }>({
    text: `select quote_ident(a.attname) as name, a.attname <> 'app_id' and a.atttypid = 'text'::regtype
        and (exists (select from pg_index i where i.indrelid = a.attrelid and i.indisunique and a.attnum = any (i.indkey))
          or exists (select from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'f' and a.attnum = any (c.conkey))
          or a.attname = 'user_id')
        and not exists (select from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'c' and a.attnum = any (c.conkey)) as numbered
      from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum`,
    values: [table],
  });
  const names = columns.map(({ name }) => name).join(', ');
  const values = columns.map(({ name, numbered }) => (numbered ? `${name} || '-' || n` : name)).join(', ');
  await client.query('set session_replication_role = replica'); // nobody is asked whether the other row exists
  const { rowCount } = await client.query(
    `insert into ${table} (${names}) select ${values} from (select * from ${table} limit 1) one, generate_series(1, ${rows}) n`,
  );
  await client.query('reset session_replication_role');
  if (rowCount !== rows) throw new Error(`${table} has no row to copy`);
}
