import { enqueueJob, type EnqueueDeps } from '../../delivery/jobs/enqueue.ts';
import type { Transaction } from '../../storage/database.ts';
import { listenersOf } from './store.ts';

export const LOGOUT_TOKEN = 'logout-token';

/** What one client has to be told: which user's session ended, under the name it knows, at the issuer it used. */
export type LogoutNotice = {
  userId: string;
  clientId: string;
  issuer: string;
  issuerKind: 'own' | 'shared';
  sid: string;
  why: string;
};

export type Announcement = {
  appId: string;
  sessions: readonly { uid: string; user_id: string }[];
  why: string;
  /** Only this client is told: its part of the session ended, the session goes on. */
  clientId?: string | undefined;
};

/**
 * Puts one logout token for each client and issuer into the outbox, in the transaction that ends the sessions:
 * whoever loses the race to end one finds nothing ended and tells nobody.
 */
export async function announceEnd(tx: Transaction, jobs: EnqueueDeps, ended: Announcement): Promise<void> {
  const { appId, clientId, sessions, why } = ended;
  if (sessions.length === 0) return;
  const userOf = new Map(sessions.map((session) => [session.uid, session.user_id]));
  for (const one of await listenersOf(tx, { appId, sessionUids: [...userOf.keys()], clientId })) {
    const notice: LogoutNotice = {
      userId: userOf.get(one.session_uid)!,
      clientId: one.client_id,
      issuer: one.issuer,
      issuerKind: one.issuer_kind,
      sid: one.sid,
      why,
    };
    await enqueueJob(tx, jobs, { appId, kind: LOGOUT_TOKEN, payload: notice });
  }
}
