import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

export type TotpRow = {
  /** Sealed envelope. */
  seed: string;
  last_step: number;
  created_at: Date;
  last_used_at: Date | null;
  /** Epoch seconds by the database's clock. */
  now: number;
};

export async function totpOf(q: Queryable, appId: string, userId: string): Promise<TotpRow | undefined> {
  const [row] = await q.query<TotpRow>(sql`
    select seed, last_step::float8 as last_step, created_at, last_used_at, extract(epoch from clock_timestamp())::float8 as now
    from totp_authenticators where app_id = ${appId} and user_id = ${userId}`);
  return row;
}

/** Sets or replaces the authenticator; `step` is that of the code which proved it, and is used up by that. */
export async function putTotp(
  tx: Queryable,
  totp: { appId: string; userId: string; seed: string; step: number },
): Promise<void> {
  await tx.query(sql`
    insert into totp_authenticators (app_id, user_id, seed, last_step)
    values (${totp.appId}, ${totp.userId}, ${totp.seed}, ${totp.step})
    on conflict (app_id, user_id) do update set
      seed = excluded.seed, last_step = excluded.last_step, created_at = now(), last_used_at = null`);
}

/**
 * Accepts a time step once (RFC 6238 §5.2): of many at once exactly one gets true, and none after a later step. Only
 * under the seed it was computed with.
 */
export async function acceptStep(
  tx: Queryable,
  at: { appId: string; userId: string; seed: string; step: number },
): Promise<boolean> {
  const rows = await tx.query(sql`
    update totp_authenticators set last_step = ${at.step}, last_used_at = now()
    where app_id = ${at.appId} and user_id = ${at.userId} and seed = ${at.seed} and last_step < ${at.step} returning 1`);
  return rows.length === 1;
}

/** Whether there was one. */
export async function removeTotp(tx: Queryable, appId: string, userId: string): Promise<boolean> {
  const rows = await tx.query(
    sql`delete from totp_authenticators where app_id = ${appId} and user_id = ${userId} returning 1`,
  );
  return rows.length === 1;
}

/** The same, where it was set up since then. */
export async function removeTotpSince(
  tx: Queryable,
  at: { appId: string; userId: string; since: Date },
): Promise<void> {
  await tx.query(sql`
    delete from totp_authenticators
    where app_id = ${at.appId} and user_id = ${at.userId} and created_at >= ${at.since}`);
}
