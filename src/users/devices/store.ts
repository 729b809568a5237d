import type { Queryable } from '../../storage/database.ts';
import { type Part, part, sql } from '../../storage/sql.ts';

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

/** Whether it was unknown, and whether the user has signed in from others. */
export type MetDevice = { isNew: boolean; hasOthers: boolean };

/**
 * Remembers the browser that has just signed a user in: `is_new`, `has_others`. `of`: what it hangs on. A row that was
 * inserted has no deleting transaction; one that was updated has this one.
 */
export const rememberingDevice = (
  { appId, userId, device }: { appId: string; userId: string; device: string },
  of: Part,
): Part =>
  part`insert into known_devices (app_id, user_id, device) select ${appId}, ${userId}, ${device} ${of}
    on conflict (app_id, user_id, device) do update set last_seen_at = now()
    returning xmax = 0 as is_new, exists (
      select from known_devices o where o.app_id = ${appId} and o.user_id = ${userId} and o.device <> ${device}) as has_others`;

/** When browsers were first and last used; which they are, nobody can tell from what is kept. */
export function listDevices(
  q: Queryable,
  at: { appId: string; userId: string; limit: number },
): Promise<{ first_seen_at: Date; last_seen_at: Date }[]> {
  return q.query(sql`
    select first_seen_at, last_seen_at from known_devices
    where app_id = ${at.appId} and user_id = ${at.userId} order by last_seen_at desc limit ${at.limit}`);
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
