import type { Queryable } from './database.ts';
import { each, type Part, part, sql } from './sql.ts';

/** Things that may happen once. */
export type SpentKind =
  | 'code'
  | 'client_assertion'
  | 'magic_link'
  | 'email_code'
  | 'six_digit_code'
  | 'sign_up'
  | 'reset'
  | 'invitation'
  | 'interaction_result'
  | 'pushed_request'
  | 'device_code'
  | 'device_confirmation'
  | 'totp_setup'
  | 'email_change'
  | 'email_undo'
  | 'passkey_challenge';

/** What may happen once, which thing it is, and how long it is remembered. */
export type Spending = { appId: string; kind: SpentKind; digest: string; ttlSeconds: number; note?: string };

/** Gives one row to the first, and none to anybody else. */
export const spending = (at: Spending): Part =>
  part`insert into spent (app_id, kind, digest, expires_at, note)
        values (${at.appId}, ${at.kind}, ${at.digest}, now() + ${at.ttlSeconds} * interval '1 second', ${at.note ?? null})
        on conflict do nothing returning digest`;

/**
 * Decides single use: of many callers at once exactly one gets true. Belongs into the transaction that grants
 * something, so that a failure later in it gives the chance back.
 */
export async function spend(q: Queryable, at: Spending): Promise<boolean> {
  const rows = await q.query(sql`${spending(at)}`);
  return rows.length === 1;
}

/**
 * The same beside others who spend their own, in one statement. It waits for whoever spends the same at this moment; all wait in
 * the same order, so that no two wait for each other.
 */
export async function spendBesideOthers(q: Queryable, at: Omit<Spending, 'note'>): Promise<boolean> {
  const rows = await q.query(
    sql`with asked as (
          select distinct on (digest) digest, nr from unnest(${each(at.digest)}::text[]) with ordinality as a(digest, nr) order by digest, nr
        ), once as (
          insert into spent (app_id, kind, digest, expires_at)
          select ${at.appId}, ${at.kind}, digest, now() + ${at.ttlSeconds} * interval '1 second' from asked order by digest
          on conflict do nothing returning digest
        )
        select asked.nr from asked join once using (digest)`,
  );
  return rows.length === 1;
}

/** Whether it was spent, without spending it. */
export async function isSpent(
  q: Queryable,
  appId: string,
  kind: SpentKind,
  digest: string,
): Promise<boolean> {
  const rows = await q.query(
    sql`select 1 from spent where app_id = ${appId} and kind = ${kind} and digest = ${digest}`,
  );
  return rows.length === 1;
}
