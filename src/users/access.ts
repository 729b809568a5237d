import type { EnqueueDeps } from '../delivery/jobs/enqueue.ts';
import type { ArtifactCache } from '../storage/artifact-cache.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { scoped } from '../storage/database.ts';
import {
  type AppAccessRow,
  grantRevokedBefore,
  type GrantRow,
  grantsRevokedLately,
  listAppAccess,
  listLiveGrants,
  revokeGrantById,
  revokeGrantOfUser,
  revokeGrantsOfClient,
  revokeGrantsOfSessions,
  revokeGrantsOfUser,
  type RevokedBefore,
  type RevokedGrant,
  revokeOfflineGrants,
} from './grants/store.ts';
import { announceEnd } from './logout/announce.ts';
import { markAccessEnded } from './store.ts';
import { forgetTrustedDevices } from './trusted-devices/store.ts';
import {
  type EndedSession,
  endSessionById,
  endSessionByUid,
  endSessionsOfUser,
  sessionsEndedLately,
  listLiveSessions,
  type SessionRow,
} from './sessions/store.ts';

/** What ended, for audit and for telling clients. */
export type Ended = { sessions: EndedSession[]; grants: RevokedGrant[] };

export type Page = { after?: string | undefined; limit: number };

/**
 * Ends sessions and grants of users. Whatever ends, ends with everything that hangs on it: refresh tokens and JWT
 * access tokens (at our endpoints) die with their grant, grants bound to a session die with the session, and clients
 * with a logout URI are told through the outbox. Each function works inside the caller's transaction and is
 * acknowledged only after the cache knows (design §5).
 */
export type Access = {
  listSessions(appId: string, userId: string, page: Page): Promise<SessionRow[]>;
  listGrants(appId: string, userId: string, page: Page): Promise<GrantRow[]>;
  /** The clients that may use an account, one line each. */
  listAppAccess(appId: string, userId: string): Promise<AppAccessRow[]>;
  endSession(
    tx: Transaction,
    at: { appId: string; userId: string; uid: string; why: string },
  ): Promise<Ended>;
  endSessionOfUser(
    tx: Transaction,
    at: { appId: string; userId: string; sessionId: string; why: string },
  ): Promise<Ended>;
  revokeGrant(tx: Transaction, at: { appId: string; grantId: string; why: string }): Promise<Ended>;
  /** A client revokes what is revoked already (RFC 7009 §2.2): its first try may have died before the cache knew. */
  revokeGrantAgain(tx: Transaction, at: RevokedBefore): Promise<void>;
  revokeGrantOfUser(
    tx: Transaction,
    at: { appId: string; userId: string; grantId: string; why: string },
  ): Promise<Ended>;
  /** Everything a user allowed one client. */
  revokeGrantsOfClient(
    tx: Transaction,
    at: { appId: string; userId: string; clientId: string; why: string },
  ): Promise<Ended>;
  /** What sign-out leaves: grants that are bound to no live session. */
  endOfflineAccess(tx: Transaction, at: { appId: string; userId: string; why: string }): Promise<Ended>;
  /**
   * All sessions and grants of a user, but for one session and what is bound to it; sign-ins under way are not finished,
   * and no browser is let off the second factor any more.
   */
  endUserAccess(
    tx: Transaction,
    at: { appId: string; userId: string; why: string; exceptSessionUid?: string | undefined },
  ): Promise<Ended>;
};

export type AccessDeps = { db: Database; cache: ArtifactCache; jobs: EnqueueDeps };

export function createAccess({ db, cache, jobs }: AccessDeps): Access {
  const bury = (tx: Transaction, appId: string, now: Ended, userId?: string) =>
    buryEnded(cache, tx, { appId, now, userId });
  /** Sessions with what is bound to them; their clients are told. */
  const finish = async (tx: Transaction, at: Finish): Promise<Ended> => {
    await announceEnd(tx, jobs, at);
    return bury(tx, at.appId, await withBoundGrants(tx, at.appId, at.sessions, at.why), at.userId);
  };
  /** Grants alone: the session goes on, and the client whose part of it ended is told. */
  const revoked = async (tx: Transaction, at: Revoked): Promise<Ended> => {
    if (TOLD.has(at.why)) {
      // Several grants of one client in one session are one end.
      const parts = new Map(at.grants.map((grant) => [`${grant.session_uid} ${grant.client_id}`, grant]));
      for (const { session_uid: uid, user_id, client_id: clientId } of parts.values())
        if (uid !== null) await announceEnd(tx, jobs, { ...at, sessions: [{ uid, user_id }], clientId });
    }
    return bury(tx, at.appId, { sessions: [], grants: at.grants }, at.userId);
  };
  return {
    listSessions: (appId, userId, page) =>
      listLiveSessions(scoped(db, appId), { appId, userId, after: page.after, limit: page.limit }),
    listGrants: (appId, userId, page) =>
      listLiveGrants(scoped(db, appId), { appId, userId, after: page.after, limit: page.limit }),
    listAppAccess: (appId, userId) => listAppAccess(scoped(db, appId), appId, userId),
    async endSession(tx, { appId, userId, uid, why }) {
      return finish(tx, { appId, userId, why, sessions: await endSessionByUid(tx, appId, uid) });
    },
    async endSessionOfUser(tx, { appId, userId, sessionId, why }) {
      return finish(tx, { appId, userId, why, sessions: await endSessionById(tx, appId, userId, sessionId) });
    },
    async revokeGrant(tx, { appId, grantId, why }) {
      return revoked(tx, { appId, why, grants: await revokeGrantById(tx, appId, grantId, why) });
    },
    async revokeGrantAgain(tx, at) {
      const id = cache.isInUse ? await grantRevokedBefore(tx, at) : undefined;
      if (id !== undefined) tx.afterCommit(() => cache.bury(at.appId, [{ kind: 'grant', id }]));
    },
    async revokeGrantOfUser(tx, at) {
      return revoked(tx, { ...at, grants: await revokeGrantOfUser(tx, at) });
    },
    async revokeGrantsOfClient(tx, at) {
      return revoked(tx, { ...at, grants: await revokeGrantsOfClient(tx, at) });
    },
    async endOfflineAccess(tx, at) {
      return revoked(tx, { ...at, grants: await revokeOfflineGrants(tx, at) });
    },
    async endUserAccess(tx, { appId, userId, why, exceptSessionUid }) {
      const sessions = await endSessionsOfUser(tx, appId, userId, exceptSessionUid);
      const grants = await revokeGrantsOfUser(tx, { appId, userId, why, exceptSessionUid });
      await markAccessEnded(tx, appId, userId);
      await forgetTrustedDevices(tx, appId, userId);
      await announceEnd(tx, jobs, { appId, sessions, why });
      // Beside each grant, because one may be on its way that none of these statements has seen.
      if (cache.isInUse) tx.afterCommit(() => cache.bury(appId, [{ kind: 'user', id: userId }]));
      return bury(tx, appId, { sessions, grants }, userId);
    },
  };
}

type Finish = { appId: string; why: string; sessions: EndedSession[]; userId?: string };
type Revoked = { appId: string; why: string; grants: RevokedGrant[]; userId?: string };

/**
 * Reasons for which a client hears that its grant is gone. Not sign-out, whose sessions are announced themselves, and
 * not what the client asked for itself (RFC 7009).
 */
const TOLD: ReadonlySet<string> = new Set([
  'refresh_token_reused',
  'code_reused',
  'ended_by_operator',
  'ended_by_user',
]);

async function endedLately(tx: Transaction, appId: string, userId: string): Promise<Ended> {
  return {
    sessions: await sessionsEndedLately(tx, appId, userId),
    grants: await grantsRevokedLately(tx, appId, userId),
  };
}

type Burial = { appId: string; now: Ended; userId: string | undefined };

/**
 * Tells the cache after the commit. What was ended lately is buried with it: an earlier try may have committed and died
 * before the cache knew, and its repeat, which finds nothing left to end, is acknowledged too.
 */
async function buryEnded(
  cache: ArtifactCache,
  tx: Transaction,
  { appId, now, userId }: Burial,
): Promise<Ended> {
  const lately =
    userId !== undefined && cache.isInUse
      ? await endedLately(tx, appId, userId)
      : { sessions: [], grants: [] };
  // What was ended just now is among what was ended lately: one grave each.
  const sessions = new Map([...now.sessions, ...lately.sessions].map((session) => [session.uid, session]));
  const grants = new Set([...now.grants, ...lately.grants].map((grant) => grant.grant_id));
  const graves = [
    ...[...sessions.values()].flatMap((session) => [
      { kind: 'session' as const, id: session.digest },
      { kind: 'session_uid' as const, id: session.uid },
    ]),
    ...[...grants].map((id) => ({ kind: 'grant' as const, id })),
  ];
  if (graves.length) tx.afterCommit(() => cache.bury(appId, graves));
  return now;
}

async function withBoundGrants(
  tx: Transaction,
  appId: string,
  sessions: EndedSession[],
  why: string,
): Promise<Ended> {
  if (sessions.length === 0) return { sessions, grants: [] };
  const uids = sessions.map((session) => session.uid);
  return { sessions, grants: await revokeGrantsOfSessions(tx, appId, uids, why) };
}
