import type { Queryable } from '../../storage/database.ts';
import { each, type Part, part, sql } from '../../storage/sql.ts';
import type { PersonJson } from '../store.ts';

/** What the protocol library keeps in a session, without its id. */
export type SessionPayload = {
  accountId?: string;
  loginTs?: number;
  amr?: string[];
  acr?: string;
  transient?: boolean;
  authorizations?: Record<string, Record<string, unknown>>;
  state?: Record<string, unknown>;
  [name: string]: unknown;
};

export type StoredSession = {
  uid: string;
  session_id: string;
  digest: string;
  user_id: string;
  version: string;
  revision: string;
  payload: SessionPayload;
  remaining: string;
  idle_for: string;
  /** Whose it is, as of this statement; not there where the cache answered. */
  person?: PersonJson;
};

/** The live session of a cookie's digest: not ended, not idle too long, its user not disabled. */
export async function liveSessionByDigest(
  q: Queryable,
  appId: string,
  digest: string,
): Promise<StoredSession | undefined> {
  const [row] = await q.query<StoredSession>(
    sql`select asked.nr, found.* from unnest(${each(digest)}::text[]) with ordinality as asked(digest, nr) cross join lateral (
          select s.uid, s.session_id, s.digest, s.user_id, s.version, s.revision, s.payload,
            extract(epoch from s.expires_at - now()) as remaining, extract(epoch from now() - s.touched_at) as idle_for,
            to_jsonb(u) as person
          from sessions s join people u using (app_id, user_id)
          where s.app_id = ${appId} and s.digest = asked.digest and s.ended_at is null and s.expires_at > now() and u.disabled_at is null limit 1
        ) found`,
  );
  return row;
}

export async function liveSessionByUid(
  q: Queryable,
  appId: string,
  uid: string,
): Promise<StoredSession | undefined> {
  const [row] = await q.query<StoredSession>(
    sql`select asked.nr, found.* from unnest(${each(uid)}::text[]) with ordinality as asked(uid, nr) cross join lateral (
          select s.uid, s.session_id, s.digest, s.user_id, s.version, s.revision, s.payload,
            extract(epoch from s.expires_at - now()) as remaining, extract(epoch from now() - s.touched_at) as idle_for,
            to_jsonb(u) as person
          from sessions s join people u using (app_id, user_id)
          where s.app_id = ${appId} and s.uid = asked.uid and s.ended_at is null and s.expires_at > now() and u.disabled_at is null limit 1
        ) found`,
  );
  return row;
}

export type NewSession = {
  appId: string;
  uid: string;
  sessionId: string;
  digest: string;
  userId: string;
  payload: SessionPayload;
  idleSeconds: number;
  absoluteSeconds: number;
  userAgent: string | undefined;
  address: string | undefined;
  /** The client whose authorization began it, if that is already decided. */
  use?: ClientUse | undefined;
};

/** A client a session is used for, at one issuer: who has to be told when it ends. */
export type ClientUse = { clientId: string; issuer: string; issuerKind: 'own' | 'shared'; sid: string };

/** Sessions are never upserted: false when the uid or the id was there before, ended or not. */
export async function insertSession(q: Queryable, session: NewSession): Promise<boolean> {
  const rows = await q.query(
    sql`with started as (${startingSession(session, part``)}), used as (${usingSession(session.use)}) select uid from started`,
  );
  return rows.length === 1;
}

/** `app_id`, `uid`; no row for somebody who may not sign in. `beside`: what else it hangs on, with a comma before it. */
export const startingSession = (session: NewSession, beside: Part): Part =>
  part`insert into sessions (app_id, uid, session_id, digest, user_id, payload, user_agent, address, expires_at, absolute_expires_at)
        select ${session.appId}, ${session.uid}, ${session.sessionId}, ${session.digest}, ${session.userId}, ${JSON.stringify(session.payload)}::jsonb,
          ${session.userAgent?.slice(0, 512) ?? null}, ${session.address ?? null}::inet,
          now() + least(${session.idleSeconds}::int, ${session.absoluteSeconds}::int) * interval '1 second', now() + ${session.absoluteSeconds} * interval '1 second'
        from users u ${beside} where u.app_id = ${session.appId} and u.user_id = ${session.userId} and u.disabled_at is null
        on conflict do nothing returning app_id, uid`;

/** For the session that `started` has begun. */
export const usingSession = (use: ClientUse | undefined): Part =>
  part`insert into session_clients (app_id, session_uid, client_id, issuer, issuer_kind, sid)
        select app_id, uid, ${use?.clientId ?? null}::text, ${use?.issuer ?? null}::text, ${use?.issuerKind ?? null}::text, ${use?.sid ?? null}::text
        from started where ${use !== undefined}::boolean`;

export type SessionChange = {
  appId: string;
  uid: string;
  /** The id it was read under, and the one it has from now on (the same when it was not renewed). */
  fromDigest: string;
  toDigest: string;
  version: string;
  payload: SessionPayload;
  /** Clients that were signed out one by one. */
  removedClients: string[];
  idleSeconds: number;
  /** A client that is used for the first time at this issuer. */
  use?: ClientUse | undefined;
};

/**
 * Updates a session only while it is live and is the one that was read; authorizations are merged by client, so
 * that two authorizations at once both stay. undefined: it was ended or renewed meanwhile, and stays so.
 */
export async function updateSession(q: Queryable, change: SessionChange): Promise<StoredSession | undefined> {
  const { use } = change;
  const [row] = await q.query<StoredSession>(
    sql`with changed as (
        update sessions set
          revision = revision + 1,
          digest = ${change.toDigest},
          version = version + (digest <> ${change.toDigest})::int,
          payload = ${JSON.stringify(change.payload)}::jsonb || jsonb_build_object('authorizations',
            (coalesce(payload -> 'authorizations', '{}') || ${JSON.stringify(change.payload.authorizations ?? {})}::jsonb) - ${change.removedClients}::text[]),
          touched_at = now(),
          expires_at = least(now() + ${change.idleSeconds} * interval '1 second', absolute_expires_at)
        where app_id = ${change.appId} and uid = ${change.uid} and digest = ${change.fromDigest} and version = ${change.version}
          and ended_at is null and expires_at > now()
        returning app_id, uid, session_id, digest, user_id, version, revision, payload, extract(epoch from expires_at - now()) as remaining, 0 as idle_for
        ), used as (
          insert into session_clients (app_id, session_uid, client_id, issuer, issuer_kind, sid)
          select app_id, uid, ${use?.clientId ?? null}::text, ${use?.issuer ?? null}::text, ${use?.issuerKind ?? null}::text, ${use?.sid ?? null}::text
          from changed where ${use !== undefined}::boolean
          on conflict do nothing
        )
        select uid, session_id, digest, user_id, version, revision, payload, remaining, idle_for from changed`,
  );
  return row;
}

export type EndedSession = { uid: string; session_id: string; digest: string; user_id: string };

/** The row stays as a tombstone: a request in flight can not bring the session back. */
export function endSessionByUid(q: Queryable, appId: string, uid: string): Promise<EndedSession[]> {
  return q.query<EndedSession>(
    sql`update sessions set ended_at = now() where app_id = ${appId} and uid = ${uid} and ended_at is null
        returning uid, session_id, digest, user_id`,
  );
}

export function endSessionById(
  q: Queryable,
  appId: string,
  userId: string,
  sessionId: string,
): Promise<EndedSession[]> {
  return q.query<EndedSession>(
    sql`update sessions set ended_at = now() where app_id = ${appId} and user_id = ${userId} and session_id = ${sessionId} and ended_at is null
        returning uid, session_id, digest, user_id`,
  );
}

export function endSessionsOfUser(
  q: Queryable,
  appId: string,
  userId: string,
  exceptUid: string | undefined,
): Promise<EndedSession[]> {
  return q.query<EndedSession>(
    sql`update sessions set ended_at = now()
        where app_id = ${appId} and user_id = ${userId} and ended_at is null and uid is distinct from ${exceptUid ?? null}
        returning uid, session_id, digest, user_id`,
  );
}

export type SessionRow = {
  session_id: string;
  user_agent: string | null;
  address: string | null;
  amr: string[] | null;
  created_at: Date;
  last_active_at: Date;
  expires_at: Date;
  /** What the session was used for. */
  clients: { client_id: string; name: string }[];
};

/** Live sessions of a user, newest first, after the given id. */
export function listLiveSessions(
  q: Queryable,
  at: { appId: string; userId: string; after: string | undefined; limit: number },
): Promise<SessionRow[]> {
  return q.query<SessionRow>(
    sql`select session_id, user_agent, host(address) as address, payload -> 'amr' as amr, created_at, touched_at as last_active_at, expires_at,
          (select coalesce(jsonb_agg(distinct jsonb_build_object('client_id', c.client_id, 'name', c.name)), '[]')
           from session_clients u join clients c using (app_id, client_id) where u.app_id = sessions.app_id and u.session_uid = sessions.uid) as clients
        from sessions
        where app_id = ${at.appId} and user_id = ${at.userId} and ended_at is null and expires_at > now()
          and (${at.after ?? null}::text is null or session_id < ${at.after ?? null})
        order by session_id desc limit ${at.limit}`,
  );
}

/** Longer ago than any fill of the cache lives there is nothing left to bury. */
export function sessionsEndedLately(q: Queryable, appId: string, userId: string): Promise<EndedSession[]> {
  return q.query<EndedSession>(
    sql`select uid, session_id, digest, user_id from sessions
        where app_id = ${appId} and user_id = ${userId} and ended_at > now() - interval '10 minutes'`,
  );
}
