import type { Queryable } from '../../storage/database.ts';
import { type Part, part, sql } from '../../storage/sql.ts';

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

/** Whoever has an address, with all that comparing a password takes. */
export type Claimant = {
  /** undefined: nobody has it. */
  userId: string | undefined;
  isDisabled: boolean;
  hash: string | undefined;
  /**
   * Some hash of this app that came from another system, while there is one: so that a wrong password can cost the same
   * whoever it was typed for.
   */
  decoy: string | undefined;
};

export type ClaimantRow = {
  user_id: string;
  is_nobody: boolean;
  is_disabled: boolean;
  hash: string | null;
  decoy: string | null;
  knows_device: boolean;
};

/**
 * The two expressions `claimed` and `claimant`, which look for as much where nobody has the address (normalized).
 * Materialized, because below row-level security nothing is looked up by what `coalesce` gives: each sign-in would read the
 * passwords of the whole app.
 */
export const findingClaimant = ({ appId, email, device }: Claim): Part =>
  part`claimed as materialized (
      select coalesce(u.user_id, 'usr_nobody') as user_id, u.user_id is null as is_nobody, u.disabled_at is not null as is_disabled
      from (select 1) as one
      left join identifiers e on e.app_id = ${appId} and e.kind = 'email' and e.value = ${email}
      left join users u on u.app_id = e.app_id and u.user_id = e.user_id
    ), claimant as materialized (
      select c.user_id, c.is_nobody, c.is_disabled,
        (select hash from passwords p where p.app_id = ${appId} and p.user_id = c.user_id) as hash,
        (select hash from passwords where app_id = ${appId} and hash not like '$argon2id$%' order by user_id limit 1) as decoy,
        exists (select from known_devices d where d.app_id = ${appId} and d.user_id = c.user_id and d.device = ${device}) as knows_device
      from claimed c
    )`;

/** An address, normalized, and the browser it was typed in; '' where that has no device cookie. */
export type Claim = { appId: string; email: string; device: string };

export const claimantIn = (row: ClaimantRow): Claimant => ({
  userId: row.is_nobody ? undefined : row.user_id,
  isDisabled: row.is_disabled,
  hash: row.hash ?? undefined,
  decoy: row.decoy ?? undefined,
});

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
