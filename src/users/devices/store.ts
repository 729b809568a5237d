import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** Whether this browser (a digest of its device cookie) has signed this user in before. */
export async function isKnownDevice(
  q: Queryable,
  appId: string,
  userId: string,
  deviceDigest: string,
): Promise<boolean> {
  const rows = await q.query(sql`
    select 1 from known_devices where app_id = ${appId} and user_id = ${userId} and device = ${deviceDigest}`);
  return rows.length === 1;
}

export async function rememberDevice(
  tx: Queryable,
  appId: string,
  userId: string,
  deviceDigest: string,
): Promise<void> {
  await tx.query(sql`
    insert into known_devices (app_id, user_id, device) values (${appId}, ${userId}, ${deviceDigest})
    on conflict (app_id, user_id, device) do update set last_seen_at = now()`);
}

/** All of them, except one: after a recovery no other browser is known any more. */
export async function forgetDevices(
  tx: Queryable,
  appId: string,
  userId: string,
  exceptDigest?: string,
): Promise<void> {
  await tx.query(sql`
    delete from known_devices where app_id = ${appId} and user_id = ${userId} and device is distinct from ${exceptDigest ?? null}`);
}
