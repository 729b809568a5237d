import type { Queryable } from '../../storage/database.ts';
import { part, sql } from '../../storage/sql.ts';
import { spending } from '../../storage/spent.ts';
import { addingRefreshToken, familyOf, type NewRefreshToken } from './store.ts';

/** What became of both halves. A token that was spent without a successor belonged to a revoked grant. */
export type Exchanged = { spent: boolean; added: boolean };

/**
 * Spends a refresh token and adds its successor, in one statement: the same compare-and-set as `spendRefreshToken`, and
 * without it nothing is added. Of many callers at once exactly one spends the token.
 */
export async function rotateRefreshToken(
  q: Queryable,
  { digest, token }: { digest: string; token: NewRefreshToken },
): Promise<Exchanged> {
  const [row] = await q.query<Exchanged>(
    sql`with one as (
          update refresh_tokens set consumed_at = now(), successor = ${token.digest}
          where app_id = ${token.appId} and digest = ${digest} and consumed_at is null returning digest
        ), family as (${familyOf(token, part`and exists (select from one)`)}), successor as (${addingRefreshToken(token)})
        select exists (select from one) as spent, exists (select from successor) as added`,
  );
  return row!;
}

/** The same for an authorization code and the first refresh token that it gives. */
export async function redeemCodeForRefreshToken(
  q: Queryable,
  { code, token }: { code: { digest: string; ttlSeconds: number }; token: NewRefreshToken },
): Promise<Exchanged> {
  const once = spending({ appId: token.appId, kind: 'code', ...code });
  const [row] = await q.query<Exchanged>(
    sql`with one as (${once}), family as (${familyOf(token, part`and exists (select from one)`)}), first as (${addingRefreshToken(token)})
        select exists (select from one) as spent, exists (select from first) as added`,
  );
  return row!;
}
