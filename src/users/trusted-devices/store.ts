import { newId } from '../../kernel/id.ts';
import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

export type TrustedDevice = {
  device_id: string;
  digest: string;
  name: string;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
};

/** Whether this browser (digests of its cookie) is let off the second factor of this user; notes that it was. */
export async function useTrustedDevice(
  tx: Queryable,
  at: { appId: string; userId: string; digests: readonly string[] },
): Promise<boolean> {
  const rows = await tx.query(sql`
    update trusted_devices set last_used_at = now()
    where app_id = ${at.appId} and user_id = ${at.userId} and digest = any(${at.digests}) and expires_at > now() returning 1`);
  return rows.length > 0;
}

/** What this user was given at this browser before: the digests of those that are none any more. */
export async function forgetTrustHere(
  tx: Queryable,
  at: { appId: string; userId: string; digests: readonly string[] },
): Promise<string[]> {
  const rows = await tx.query<{ digest: string }>(sql`
    delete from trusted_devices
    where app_id = ${at.appId} and user_id = ${at.userId} and digest = any(${at.digests}) returning digest`);
  return rows.map(({ digest }) => digest);
}

export async function trustDevice(
  tx: Queryable,
  device: { appId: string; userId: string; digest: string; name: string; days: number },
): Promise<void> {
  await tx.query(sql`
    insert into trusted_devices (app_id, user_id, device_id, digest, name, expires_at)
    values (${device.appId}, ${device.userId}, ${newId('dev')}, ${device.digest}, ${device.name}, now() + ${device.days} * interval '1 day')`);
}

/** Newest first. */
export function listTrustedDevices(q: Queryable, appId: string, userId: string): Promise<TrustedDevice[]> {
  return q.query<TrustedDevice>(sql`
    select device_id, digest, name, created_at, last_used_at, expires_at from trusted_devices
    where app_id = ${appId} and user_id = ${userId} and expires_at > now() order by device_id desc limit 100`);
}

export async function renameTrustedDevice(
  tx: Queryable,
  at: { appId: string; userId: string; deviceId: string; name: string },
): Promise<boolean> {
  const rows = await tx.query(sql`
    update trusted_devices set name = ${at.name}
    where app_id = ${at.appId} and user_id = ${at.userId} and device_id = ${at.deviceId} and expires_at > now() returning 1`);
  return rows.length === 1;
}

export async function forgetTrustedDevice(
  tx: Queryable,
  at: { appId: string; userId: string; deviceId: string },
): Promise<boolean> {
  const rows = await tx.query(sql`
    delete from trusted_devices
    where app_id = ${at.appId} and user_id = ${at.userId} and device_id = ${at.deviceId} returning 1`);
  return rows.length === 1;
}

/** All of a user: after a recovery, a change of factors, "sign out everywhere". */
export async function forgetTrustedDevices(tx: Queryable, appId: string, userId: string): Promise<void> {
  await tx.query(sql`delete from trusted_devices where app_id = ${appId} and user_id = ${userId}`);
}
