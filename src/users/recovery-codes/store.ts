import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** All that were there before stop working. */
export async function replaceRecoveryCodes(
  tx: Queryable,
  codes: { appId: string; userId: string; digests: string[] },
): Promise<void> {
  await removeRecoveryCodes(tx, codes.appId, codes.userId);
  await tx.query(sql`
    insert into recovery_codes (app_id, user_id, digest)
    select ${codes.appId}, ${codes.userId}, unnest(${codes.digests}::text[])`);
}

export async function removeRecoveryCodes(tx: Queryable, appId: string, userId: string): Promise<void> {
  await tx.query(sql`delete from recovery_codes where app_id = ${appId} and user_id = ${userId}`);
}

/** The same, of those that were made since then. */
export async function removeRecoveryCodesSince(
  tx: Queryable,
  at: { appId: string; userId: string; since: Date },
): Promise<void> {
  await tx.query(sql`
    delete from recovery_codes where app_id = ${at.appId} and user_id = ${at.userId} and created_at >= ${at.since}`);
}

/** Of many at once exactly one gets true. */
export async function spendRecoveryCode(
  tx: Queryable,
  at: { appId: string; userId: string; digest: string },
): Promise<boolean> {
  const rows = await tx.query(sql`
    update recovery_codes set used_at = now()
    where app_id = ${at.appId} and user_id = ${at.userId} and digest = ${at.digest} and used_at is null returning 1`);
  return rows.length === 1;
}

export type RecoveryCodes = { remaining: number; created_at: Date | null };

export async function recoveryCodesOf(q: Queryable, appId: string, userId: string): Promise<RecoveryCodes> {
  const [row] = await q.query<RecoveryCodes>(sql`
    select count(*) filter (where used_at is null)::int as remaining, max(created_at) as created_at
    from recovery_codes where app_id = ${appId} and user_id = ${userId}`);
  return row!;
}
