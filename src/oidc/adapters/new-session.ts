import { newId } from '../../kernel/id.ts';
import type { ClientUse, NewSession, SessionPayload, StoredSession } from '../../users/sessions/store.ts';
import type { AdapterDeps } from './adapter-deps.ts';

export type FirstSession = {
  uid: string;
  /** Of the id that the browser gets. */
  digest: string;
  payload: SessionPayload;
  use: ClientUse | undefined;
  userAgent: string | undefined;
  address: string | undefined;
};

/** What is written of it, and how it will be known. */
export type SessionToBegin = { session: NewSession; row: StoredSession };

export function sessionToBegin(deps: AdapterDeps, first: FirstSession): SessionToBegin {
  const { session_idle_ttl: idleSeconds, session_absolute_ttl: absoluteSeconds } = deps.snapshot.app.settings;
  const { uid, digest, payload } = first;
  const userId = payload.accountId!;
  const sessionId = newId('ses');
  return {
    session: { ...first, appId: deps.appId, sessionId, userId, idleSeconds, absoluteSeconds },
    row: {
      uid,
      session_id: sessionId,
      digest,
      user_id: userId,
      version: '1',
      revision: '1',
      payload,
      remaining: String(Math.min(idleSeconds, absoluteSeconds)),
      idle_for: '0',
    },
  };
}

/** What the cache holds of a session: as of when. */
export type FilledSession = { stored: StoredSession; filledAt: number };

type FillDeps = Pick<AdapterDeps, 'appId' | 'cache'>;

export async function fillSession(deps: FillDeps, stored: StoredSession): Promise<void> {
  const { appId, cache } = deps;
  await Promise.all([
    cache.fill(appId, { kind: 'session', id: stored.digest, ...entryOf(stored) }),
    fillSessionUid(deps, stored),
  ]);
}

/** For those who know it by its name alone, as codes and tokens do. */
export const fillSessionUid = ({ appId, cache }: FillDeps, stored: StoredSession): Promise<void> =>
  cache.fill(appId, { kind: 'session_uid', id: stored.uid, ...entryOf(stored) });

const entryOf = (stored: StoredSession) => ({
  version: Number(stored.revision),
  value: JSON.stringify({ stored, filledAt: Date.now() } satisfies FilledSession),
  ttlSeconds: Number(stored.remaining),
});
