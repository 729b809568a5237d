import type { Queryable } from '../../storage/database.ts';
import { each, part, sql } from '../../storage/sql.ts';
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

/**
 * The same beside rotations of others in one statement, for a token whose grant lives longer anyway. true: it is done. Otherwise
 * nothing was, and `rotateRefreshToken` says why: it was spent, its grant is revoked, or somebody else has it at this moment. Two of
 * one token at once: one is done.
 */
export async function rotateBesideOthers(
  q: Queryable,
  { digest, token }: { digest: string; token: NewRefreshToken },
): Promise<boolean> {
  const rows = await q.query(
    sql`with asked as (
          select * from unnest(${each(digest)}::text[], ${each(token.digest)}::text[], ${each(token.grantId)}::text[],
            ${each(token.clientId)}::text[], ${each(token.userId)}::text[], ${each(token.sessionUid ?? null)}::text[],
            ${each(JSON.stringify(token.payload))}::text[], ${each(String(token.ttlSeconds))}::float8[])
          with ordinality as a(predecessor, digest, grant_id, client_id, user_id, session_uid, payload, ttl_seconds, nr)
        ), held as (
          select a.* from asked a
          cross join lateral (
            select from refresh_tokens r where r.app_id = ${token.appId} and r.digest = a.predecessor and r.consumed_at is null
            for no key update skip locked
          ) r
          cross join lateral (
            select from grants g where g.app_id = ${token.appId} and g.grant_id = a.grant_id and g.revoked_at is null
            for key share skip locked
          ) g
        ), one as (
          update refresh_tokens r set consumed_at = now(), successor = h.digest from held h
          where r.app_id = ${token.appId} and r.digest = h.predecessor and r.consumed_at is null returning h.*
        ), successor as (
          insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, session_uid, predecessor, payload, expires_at)
          select ${token.appId}, digest, ${token.issuer}, grant_id, client_id, user_id, session_uid, predecessor, payload::jsonb, now() + ttl_seconds * interval '1 second'
          from one
        )
        select nr from one`,
  );
  return rows.length === 1;
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

/** The same beside redemptions of others; true and false as of `rotateBesideOthers`. Of one code at once one is done. */
export async function redeemBesideOthers(
  q: Queryable,
  { code, token }: { code: { digest: string; ttlSeconds: number }; token: NewRefreshToken },
): Promise<boolean> {
  const rows = await q.query(
    sql`with asked as (
          select distinct on (code) * from unnest(${each(code.digest)}::text[], ${each(token.digest)}::text[], ${each(token.grantId)}::text[],
            ${each(token.clientId)}::text[], ${each(token.userId)}::text[], ${each(token.sessionUid ?? null)}::text[],
            ${each(JSON.stringify(token.payload))}::text[], ${each(String(token.ttlSeconds))}::float8[])
          with ordinality as a(code, digest, grant_id, client_id, user_id, session_uid, payload, ttl_seconds, nr) order by code, nr
        ), held as (
          select a.* from asked a
          cross join lateral (
            select from grants g where g.app_id = ${token.appId} and g.grant_id = a.grant_id and g.revoked_at is null
            for key share skip locked
          ) g
        ), once as (
          insert into spent (app_id, kind, digest, expires_at)
          select ${token.appId}, 'code', code, now() + ${code.ttlSeconds} * interval '1 second' from held order by code
          on conflict do nothing returning digest as code
        ), first as (
          insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, session_uid, payload, expires_at)
          select ${token.appId}, digest, ${token.issuer}, grant_id, client_id, user_id, session_uid, payload::jsonb, now() + ttl_seconds * interval '1 second'
          from held join once using (code)
        )
        select nr from held join once using (code)`,
  );
  return rows.length === 1;
}
