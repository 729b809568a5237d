import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** The PHC string, or undefined for a user without a password. */
export async function passwordHashOf(
  q: Queryable,
  appId: string,
  userId: string,
): Promise<string | undefined> {
  const [row] = await q.query<{ hash: string }>(
    sql`select hash from passwords where app_id = ${appId} and user_id = ${userId}`,
  );
  return row?.hash;
}

/**
 * The same for comparing a password with it, and some hash of this app that came from another system, while there is
 * one: so that a wrong password can cost the same whoever it was typed for.
 */
export async function passwordToCompare(
  q: Queryable,
  appId: string,
  userId: string,
): Promise<{ hash: string | undefined; decoy: string | undefined }> {
  const [row] = await q.query<{ hash: string | null; decoy: string | null }>(sql`
    select
      (select hash from passwords where app_id = ${appId} and user_id = ${userId}) as hash,
      (select hash from passwords where app_id = ${appId} and hash not like '$argon2id$%' order by user_id limit 1) as decoy`);
  return { hash: row?.hash ?? undefined, decoy: row?.decoy ?? undefined };
}

/** Sets or replaces it. Ending the sessions that knew the old one is the caller's duty. */
export async function setPassword(
  tx: Queryable,
  password: { appId: string; userId: string; hash: string },
): Promise<void> {
  await tx.query(sql`
    insert into passwords (app_id, user_id, hash) values (${password.appId}, ${password.userId}, ${password.hash})
    on conflict (app_id, user_id) do update set hash = excluded.hash, changed_at = now()`);
}

/** The same password hashed anew with stronger parameters. Does nothing when it was changed meanwhile. */
export async function rehashPassword(
  q: Queryable,
  password: { appId: string; userId: string; oldHash: string; hash: string },
): Promise<boolean> {
  const rows = await q.query(sql`
    update passwords set hash = ${password.hash}
    where app_id = ${password.appId} and user_id = ${password.userId} and hash = ${password.oldHash} returning 1`);
  return rows.length === 1;
}

/** Whether there was one. */
export async function removePassword(tx: Queryable, appId: string, userId: string): Promise<boolean> {
  const rows = await tx.query(
    sql`delete from passwords where app_id = ${appId} and user_id = ${userId} returning 1`,
  );
  return rows.length === 1;
}
