import type { Queryable } from '../../storage/database.ts';
import { each, type Part, part, sql } from '../../storage/sql.ts';
import type { PersonJson } from '../store.ts';

export type GrantPayload = Record<string, unknown>;

export type StoredGrant = { payload: GrantPayload; remaining: string; revision: string };

export async function liveGrant(
  q: Queryable,
  appId: string,
  grantId: string,
): Promise<StoredGrant | undefined> {
  const [row] = await q.query<StoredGrant>(
    sql`select asked.nr, found.* from unnest(${each(grantId)}::text[]) with ordinality as asked(grant_id, nr) cross join lateral (
          select payload, revision, extract(epoch from expires_at - now()) as remaining from grants
          where app_id = ${appId} and grant_id = asked.grant_id and revoked_at is null and expires_at > now() limit 1
        ) found`,
  );
  return row;
}

export type NewGrant = {
  appId: string;
  grantId: string;
  userId: string;
  clientId: string;
  /** Set where sign-out ends the grant. */
  sessionUid: string | undefined;
  payload: GrantPayload;
  ttlSeconds: number;
};

/** `revision`, or no row where it was revoked. `of`: what it hangs on. */
export const savingGrant = (grant: NewGrant, of: Part): Part =>
  part`insert into grants (app_id, grant_id, user_id, client_id, session_uid, payload, expires_at)
        select ${grant.appId}, ${grant.grantId}, ${grant.userId}, ${grant.clientId}, ${grant.sessionUid ?? null}, ${JSON.stringify(grant.payload)}::jsonb,
          now() + ${grant.ttlSeconds} * interval '1 second' ${of}
        on conflict (app_id, grant_id) do update set payload = excluded.payload, revision = grants.revision + 1, expires_at = greatest(grants.expires_at, excluded.expires_at)
        where grants.revoked_at is null
        returning revision`;

/** Writes a grant, or widens a live one. undefined: it was revoked meanwhile, and stays so. */
export async function saveGrant(q: Queryable, grant: NewGrant): Promise<{ revision: string } | undefined> {
  const [row] = await q.query<{ revision: string }>(sql`${savingGrant(grant, part``)}`);
  return row;
}

export type RevokedGrant = {
  grant_id: string;
  client_id: string;
  user_id: string;
  /** The session it was bound to. */
  session_uid: string | null;
};

export function revokeGrantById(
  q: Queryable,
  appId: string,
  grantId: string,
  why: string,
): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`update grants set revoked_at = now(), revoked_why = ${why}
        where app_id = ${appId} and grant_id = ${grantId} and revoked_at is null returning grant_id, client_id, user_id, session_uid`,
  );
}

/** By itself or by a refresh token that it gave, and only of this client. */
export type RevokedBefore = { appId: string; clientId: string } & ({ grantId: string } | { digest: string });

/** The grant that was meant, if an earlier request has revoked it. */
export async function grantRevokedBefore(q: Queryable, at: RevokedBefore): Promise<string | undefined> {
  const meant =
    'grantId' in at
      ? sql`select grant_id from grants
            where app_id = ${at.appId} and grant_id = ${at.grantId} and client_id = ${at.clientId} and revoked_at is not null`
      : sql`select g.grant_id from refresh_tokens r join grants g using (app_id, grant_id)
            where r.app_id = ${at.appId} and r.digest = ${at.digest} and g.client_id = ${at.clientId} and g.revoked_at is not null`;
  const [row] = await q.query<{ grant_id: string }>(meant);
  return row?.grant_id;
}

export function revokeGrantOfUser(
  q: Queryable,
  at: { appId: string; userId: string; grantId: string; why: string },
): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`update grants set revoked_at = now(), revoked_why = ${at.why}
        where app_id = ${at.appId} and user_id = ${at.userId} and grant_id = ${at.grantId} and revoked_at is null
        returning grant_id, client_id, user_id, session_uid`,
  );
}

export function revokeGrantsOfSessions(
  q: Queryable,
  appId: string,
  sessionUids: string[],
  why: string,
): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`update grants set revoked_at = now(), revoked_why = ${why}
        where app_id = ${appId} and session_uid = any(${sessionUids}) and revoked_at is null returning grant_id, client_id, user_id, session_uid`,
  );
}

export function revokeGrantsOfUser(
  q: Queryable,
  at: { appId: string; userId: string; why: string; exceptSessionUid?: string | undefined },
): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`update grants set revoked_at = now(), revoked_why = ${at.why}
        where app_id = ${at.appId} and user_id = ${at.userId} and revoked_at is null
          and (${at.exceptSessionUid ?? null}::text is null or session_uid is distinct from ${at.exceptSessionUid ?? null})
        returning grant_id, client_id, user_id, session_uid`,
  );
}

/** Everything a user allowed one client, in any session. */
export function revokeGrantsOfClient(
  q: Queryable,
  at: { appId: string; userId: string; clientId: string; why: string },
): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`update grants set revoked_at = now(), revoked_why = ${at.why}
        where app_id = ${at.appId} and user_id = ${at.userId} and client_id = ${at.clientId} and revoked_at is null
        returning grant_id, client_id, user_id, session_uid`,
  );
}

/** Grants that outlive sign-out: bound to no session, or to one that has run into its limit. */
export function revokeOfflineGrants(
  q: Queryable,
  at: { appId: string; userId: string; why: string },
): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`update grants g set revoked_at = now(), revoked_why = ${at.why}
        where g.app_id = ${at.appId} and g.user_id = ${at.userId} and g.revoked_at is null
          and not exists (select from sessions s where s.app_id = g.app_id and s.uid = g.session_uid and s.ended_at is null and s.expires_at > now())
        returning g.grant_id, g.client_id, g.user_id, g.session_uid`,
  );
}

export type AppAccessRow = {
  client_id: string;
  client_name: string;
  since: Date;
  is_offline: boolean;
  payloads: GrantPayload[];
};

/** The clients that may use an account, by name. `is_offline`: one of their refresh tokens outlives sign-out. */
export function listAppAccess(q: Queryable, appId: string, userId: string): Promise<AppAccessRow[]> {
  return q.query<AppAccessRow>(
    sql`select g.client_id, c.name as client_name, min(g.created_at) as since,
          bool_or(r.is_there is not null and s.is_there is null) as is_offline,
          jsonb_agg(g.payload) as payloads
        from grants g join clients c using (app_id, client_id)
        left join lateral (
          select true as is_there from refresh_tokens r
          where r.app_id = g.app_id and r.grant_id = g.grant_id and r.consumed_at is null and r.expires_at > now() limit 1
        ) r on true
        left join lateral (
          select true as is_there from sessions s
          where s.app_id = g.app_id and s.uid = g.session_uid and s.ended_at is null and s.expires_at > now() limit 1
        ) s on true
        where g.app_id = ${appId} and g.user_id = ${userId} and g.revoked_at is null and g.expires_at > now()
        group by g.client_id, c.name order by c.name, g.client_id limit 200`,
  );
}

export type GrantRow = {
  grant_id: string;
  client_id: string;
  client_name: string;
  payload: GrantPayload;
  created_at: Date;
  expires_at: Date;
  /** The session that it ends with. */
  session_id: string | null;
};

export function listLiveGrants(
  q: Queryable,
  at: { appId: string; userId: string; after: string | undefined; limit: number },
): Promise<GrantRow[]> {
  return q.query<GrantRow>(
    sql`select g.grant_id, g.client_id, c.name as client_name, g.payload, g.created_at, g.expires_at, s.session_id
        from grants g join clients c using (app_id, client_id) left join sessions s on s.app_id = g.app_id and s.uid = g.session_uid
        where g.app_id = ${at.appId} and g.user_id = ${at.userId} and g.revoked_at is null and g.expires_at > now()
          and (${at.after ?? null}::text is null or g.grant_id > ${at.after ?? null})
        order by g.grant_id limit ${at.limit}`,
  );
}

export type StoredRefreshToken = {
  payload: Record<string, unknown>;
  person: PersonJson;
  remaining: string;
  grant_payload: GrantPayload;
  grant_remaining: string;
  consumed: boolean;
  in_grace: boolean;
  successor: string | null;
  successor_consumed: boolean;
};

/**
 * A refresh token whose grant lives, spent or not; only at the issuer that gave it. The grace is told by the time of this
 * statement: now() is when its transaction began, which for a loser of a race can be before the token was spent.
 */
export async function refreshTokenByDigest(
  q: Queryable,
  at: { appId: string; digest: string; issuer: string; graceSeconds: number },
): Promise<StoredRefreshToken | undefined> {
  const [row] = await q.query<StoredRefreshToken>(
    sql`select asked.nr, found.* from unnest(${each(at.digest)}::text[]) with ordinality as asked(digest, nr) cross join lateral (
          select r.payload, extract(epoch from r.expires_at - now()) as remaining,
            g.payload as grant_payload, extract(epoch from g.expires_at - now()) as grant_remaining,
            r.consumed_at is not null as consumed, coalesce(r.consumed_at > clock_timestamp() - ${at.graceSeconds} * interval '1 second', false) as in_grace,
            r.successor, coalesce(n.consumed_at is not null, false) as successor_consumed, to_jsonb(u) as person
          from refresh_tokens r
          join grants g using (app_id, grant_id)
          join people u on u.app_id = r.app_id and u.user_id = r.user_id
          left join refresh_tokens n on n.app_id = r.app_id and n.digest = r.successor
          where r.app_id = ${at.appId} and r.digest = asked.digest and r.issuer = ${at.issuer} and r.expires_at > now()
            and g.revoked_at is null and g.expires_at > now() and u.disabled_at is null limit 1
        ) found`,
  );
  return row;
}

export type NewRefreshToken = {
  appId: string;
  digest: string;
  issuer: string;
  grantId: string;
  clientId: string;
  userId: string;
  sessionUid: string | undefined;
  predecessor: string | undefined;
  payload: Record<string, unknown>;
  ttlSeconds: number;
  /** Whether its grant is known to live longer than this token will. */
  isOutlived: boolean;
};

/**
 * `grant_id`, or no row where the grant is revoked or gone; it lives at least as long as the token from then on. Where it does
 * anyway no row is written: it is seen to be there until the token is. `and`: what it hangs on.
 */
export const familyOf = (token: NewRefreshToken, and: Part): Part =>
  token.isOutlived
    ? part`select grant_id from grants
            where app_id = ${token.appId} and grant_id = ${token.grantId} and revoked_at is null ${and} for key share`
    : part`update grants set expires_at = greatest(expires_at, now() + ${token.ttlSeconds} * interval '1 second')
            where app_id = ${token.appId} and grant_id = ${token.grantId} and revoked_at is null ${and} returning grant_id`;

/** `digest`, if there is a row in `family`. */
export const addingRefreshToken = (token: NewRefreshToken): Part =>
  part`insert into refresh_tokens (app_id, digest, issuer, grant_id, client_id, user_id, session_uid, predecessor, payload, expires_at)
        select ${token.appId}, ${token.digest}, ${token.issuer}, grant_id, ${token.clientId}, ${token.userId}, ${token.sessionUid ?? null},
          ${token.predecessor ?? null}, ${JSON.stringify(token.payload)}::jsonb, now() + ${token.ttlSeconds} * interval '1 second'
        from family
        returning digest`;

/** Adds a token to a live grant. false: the grant is revoked. */
export async function insertRefreshToken(q: Queryable, token: NewRefreshToken): Promise<boolean> {
  const rows = await q.query(sql`with family as (${familyOf(token, part``)}) ${addingRefreshToken(token)}`);
  return rows.length === 1;
}

/** Compare-and-set: of many callers at once exactly one spends the token. */
export async function spendRefreshToken(
  q: Queryable,
  at: { appId: string; digest: string; successor: string },
): Promise<boolean> {
  const rows = await q.query(
    sql`update refresh_tokens set consumed_at = now(), successor = ${at.successor}
        where app_id = ${at.appId} and digest = ${at.digest} and consumed_at is null returning digest`,
  );
  return rows.length === 1;
}

/** Longer ago than any fill of the cache lives there is nothing left to bury. */
export function grantsRevokedLately(q: Queryable, appId: string, userId: string): Promise<RevokedGrant[]> {
  return q.query<RevokedGrant>(
    sql`select grant_id, client_id, user_id, session_uid from grants
        where app_id = ${appId} and user_id = ${userId} and revoked_at > now() - interval '10 minutes'`,
  );
}
