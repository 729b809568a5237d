import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** The one place besides its own store that empties a table, because the app behind the rows is gone. */

/** Some users with everything that hangs on them (foreign keys cascade); how many. */
export async function eraseUsers(q: Queryable, appId: string, most: number): Promise<number> {
  const rows = await q.query(sql`
    delete from users where app_id = ${appId} and user_id in (select user_id from users where app_id = ${appId} limit ${most})
      and exists (select from apps where app_id = ${appId} and deleted_at is not null)
    returning 1`);
  return rows.length;
}

/** Everything that hangs on no user. The audit trail and the app's own row stay: the one is evidence, the other keeps the name. */
export async function eraseRest(tx: Queryable, appId: string): Promise<void> {
  const [deleted] = await tx.query(
    sql`select 1 from apps where app_id = ${appId} and deleted_at is not null`,
  );
  if (!deleted) return;
  await tx.query(sql`delete from clients where app_id = ${appId}`);
  await tx.query(sql`delete from client_routes where owner_app = ${appId}`);
  await tx.query(sql`delete from registration_tokens where app_id = ${appId}`);
  await tx.query(sql`delete from apis where app_id = ${appId}`);
  await tx.query(sql`delete from app_logos where app_id = ${appId}`);
  await tx.query(sql`delete from token_hooks where app_id = ${appId}`);
  await tx.query(sql`delete from subject_salts where app_id = ${appId}`);
  await tx.query(sql`delete from api_routes where owner_app = ${appId}`);
  await tx.query(sql`delete from domain_routes where owner_app = ${appId}`);
  await tx.query(sql`delete from domains where app_id = ${appId}`);
  await tx.query(sql`delete from signing_keys where app_id = ${appId}`);
  await tx.query(sql`delete from sign_in_failures where app_id = ${appId}`);
  await tx.query(sql`delete from spent where app_id = ${appId}`);
  await tx.query(sql`delete from denied_tokens where app_id = ${appId}`);
  await tx.query(sql`delete from ephemeral where app_id = ${appId}`);
  await tx.query(sql`delete from idempotency_keys where app_id = ${appId}`);
  // What was still to be mailed; the job that runs this goes when it is done.
  await tx.query(sql`delete from jobs where app_id = ${appId} and kind <> 'erase-app'`);
  await tx.query(sql`update apps set name = app_id, settings = '{}', logo = null where app_id = ${appId}`);
}
