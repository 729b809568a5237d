import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { NewRefreshToken } from './store.ts';

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
        ), family as (
          update grants set expires_at = greatest(expires_at, now() + ${token.ttlSeconds} * interval '1 second')
          where app_id = ${token.appId} and grant_id = ${token.grantId} and revoked_at is null and exists (select from one) returning grant_id
        ), successor as (
          insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, session_uid, predecessor, payload, expires_at)
          select ${token.appId}, ${token.digest}, ${token.issuer}, grant_id, ${token.clientId}, ${token.userId}, ${token.sessionUid ?? null},
            ${token.predecessor ?? null}, ${JSON.stringify(token.payload)}::jsonb, now() + ${token.ttlSeconds} * interval '1 second'
          from family
          returning digest
        )
        select exists (select from one) as spent, exists (select from successor) as added`,
  );
  return row!;
}

/** The same for an authorization code and the first refresh token that it gives. */
export async function redeemCodeForRefreshToken(
  q: Queryable,
  { code, token }: { code: { digest: string; ttlSeconds: number }; token: NewRefreshToken },
): Promise<Exchanged> {
  const [row] = await q.query<Exchanged>(
    sql`with one as (
          insert into spent (app_id, kind, digest, expires_at)
          values (${token.appId}, 'code', ${code.digest}, now() + ${code.ttlSeconds} * interval '1 second')
          on conflict do nothing returning digest
        ), family as (
          update grants set expires_at = greatest(expires_at, now() + ${token.ttlSeconds} * interval '1 second')
          where app_id = ${token.appId} and grant_id = ${token.grantId} and revoked_at is null and exists (select from one) returning grant_id
        ), first as (
          insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, session_uid, predecessor, payload, expires_at)
          select ${token.appId}, ${token.digest}, ${token.issuer}, grant_id, ${token.clientId}, ${token.userId}, ${token.sessionUid ?? null},
            ${token.predecessor ?? null}, ${JSON.stringify(token.payload)}::jsonb, now() + ${token.ttlSeconds} * interval '1 second'
          from family
          returning digest
        )
        select exists (select from one) as spent, exists (select from first) as added`,
  );
  return row!;
}
