import { isDeepStrictEqual } from 'node:util';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { Provider } from 'oidc-provider';
import { seconds } from '../../kernel/duration.ts';
import { digestOf } from '../../kernel/secret.ts';
import { lookingUp } from '../../storage/database.ts';
import {
  type ClientUse,
  insertSession,
  liveSessionByDigest,
  liveSessionByUid,
  type SessionPayload,
  type StoredSession,
  updateSession,
} from '../../users/sessions/store.ts';
import { audit } from '../../events/audit.ts';
import { stateOf } from '../../http/request-state.ts';
import { rememberUser } from '../account.ts';
import { accountReturnUrl } from '../account-pages.ts';
import { protocolAuthor } from '../author.ts';
import { type Refusal, unitOfWork, type Write } from '../unit-of-work.ts';
import { type AdapterDeps, onThisClock } from './adapter-deps.ts';
import { type FilledSession, fillSession, sessionToBegin } from './new-session.ts';

/** A session as this request sees it: as read, then as it will be after the writes so far. */
type Known = StoredSession & { readPayload: SessionPayload; ending: boolean };

/** Value of the button, and of nothing else that ends a session. */
export const SIGN_OUT_OF_EVERYTHING = 'everything';

const ANONYMOUS_SECONDS = 10 * seconds.minute;
const TOUCH_SECONDS = seconds.minute;
const loginRequired: Refusal = { error: 'login_required', description: 'the session has ended' };

/**
 * Sessions with a user live in Postgres, those without only in the EphemeralStore. The library writes the whole
 * session back after every authorization; here that is an update of a live row or nothing, so a request in flight
 * never resurrects a session that was ended meanwhile.
 */
export class SessionAdapter implements Adapter {
  readonly #deps: AdapterDeps;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const { appId, db, ephemeral } = this.#deps;
    const digest = digestOf(id);
    const seen = unitOfWork().memo.get(`session:${digest}`) as Known | undefined;
    if (seen) return present(seen, id);
    const stored = await this.#read('session', digest, () =>
      liveSessionByDigest(lookingUp(db, appId), appId, digest),
    );
    if (stored === 'gone') return undefined;
    if (stored) return present(remember(stored), id);
    const anonymous = await ephemeral.get(appId, anonymousKey(digest));
    return (
      anonymous &&
      (onThisClock({ ...JSON.parse(anonymous.value), jti: id }, anonymous.remainingSeconds) as AdapterPayload)
    );
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const { appId, db } = this.#deps;
    const seen = unitOfWork().memo.get(`session-uid:${uid}`) as Known | undefined;
    if (seen) return present(seen, undefined);
    const stored = await this.#read('session_uid', uid, () =>
      liveSessionByUid(lookingUp(db, appId), appId, uid),
    );
    return stored === 'gone' || !stored ? undefined : present(remember(stored), undefined);
  }

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    const { appId, ephemeral } = this.#deps;
    const digest = digestOf(id);
    const { jti: _jti, exp: _exp, iat: _iat, ...kept } = payload as SessionPayload & { uid: string };
    if (!kept.accountId) {
      await ephemeral.put(appId, anonymousKey(digest), JSON.stringify(kept), {
        ttlSeconds: ANONYMOUS_SECONDS,
      });
      return;
    }
    const known = unitOfWork().memo.get(`session-uid:${kept.uid}`) as Known | undefined;
    const use = newUse(this.#deps, kept);
    const next = { digest, payload: kept, use };
    if (known) change(this.#deps, known, next);
    else begin(this.#deps, next);
  }

  /** The session that this request has read is used as it is. */
  touch(id: string): void {
    const digest = digestOf(id);
    const known = unitOfWork().memo.get(`session:${digest}`) as Known;
    const { payload } = known;
    change(this.#deps, known, { digest, payload, use: undefined });
  }

  async destroy(id: string): Promise<void> {
    const { access, appId, ephemeral } = this.#deps;
    const digest = digestOf(id);
    const known = unitOfWork().memo.get(`session:${digest}`) as Known | undefined;
    if (!known) {
      await ephemeral.delete(appId, anonymousKey(digest));
      return;
    }
    // An id that was given up for a new one in this request: the renewal is already on its way.
    if (known.digest !== digest) return;
    known.ending = true;
    const by = protocolAuthor();
    // The second button of the page that asks: what stays connected after sign-out ends too.
    const everything = Provider.ctx?.oidc?.params?.['logout'] === SIGN_OUT_OF_EVERYTHING;
    unitOfWork().add(async (tx) => {
      // Renewal is "destroy the old id, save under a new one"; then this is not the end.
      if (!known.ending) return;
      const { user_id: userId, session_id: sessionId } = known;
      const { sessions } = await access.endSession(tx, { appId, userId, uid: known.uid, why: 'signed_out' });
      if (everything) await access.endOfflineAccess(tx, { appId, userId, why: 'signed_out' });
      if (sessions.length === 0) return;
      const actor = { type: 'user', id: userId } as const;
      const details = { why: 'signed_out', ...(everything ? { offline_access: 'ended' } : {}) };
      const event = { type: 'session.ended', userId, sessionId, result: 'success', details } as const;
      await audit(tx, { ...by, ...event, appId, actor });
    });
  }

  async consume(): Promise<void> {
    throw new Error('sessions are not consumed');
  }

  async findByUserCode(): Promise<undefined> {}

  async revokeByGrantId(): Promise<void> {}

  async #read(
    kind: 'session' | 'session_uid',
    id: string,
    fromDatabase: () => Promise<StoredSession | undefined>,
  ): Promise<StoredSession | 'gone' | undefined> {
    const found = await this.#deps.cache.read(this.#deps.appId, kind, id);
    if (found === 'gone') return found;
    if (found !== undefined) return aged(JSON.parse(found) as FilledSession);
    const row = await fromDatabase();
    if (!row) return undefined;
    // Not into the cache: what is known of a person is as of this request.
    const { person, ...stored } = row;
    rememberUser(person);
    await fillSession(this.#deps, stored);
    return stored;
  }
}

const anonymousKey = (digest: string): string => `session:${digest}`;

function remember(stored: StoredSession): Known {
  const known: Known = { ...stored, readPayload: stored.payload, ending: false };
  unitOfWork().memo.set(`session-uid:${stored.uid}`, known);
  unitOfWork().memo.set(`session:${stored.digest}`, known);
  return known;
}

function present(known: Known, id: string | undefined): AdapterPayload {
  // A copy: the library writes into what it gets, and what was read has to stay comparable.
  const { jti: _never, ...payload } = structuredClone(known.payload);
  return onThisClock(
    { ...payload, uid: known.uid, kind: 'Session', ...(id === undefined ? {} : { jti: id }) },
    Number(known.remaining),
  ) as AdapterPayload;
}

/** What the cache held, as much older as it has been there. */
function aged({ stored, filledAt }: FilledSession): StoredSession {
  const age = Math.max(0, (Date.now() - filledAt) / 1000);
  return {
    ...stored,
    remaining: String(Number(stored.remaining) - age),
    idle_for: String(Number(stored.idle_for) + age),
  };
}

type Next = {
  digest: string;
  payload: SessionPayload;
  use: ClientUse | undefined;
};

/**
 * The client this request authorizes, if the session was not used for it at this issuer before. The session's payload
 * remembers the issuers only to spare the statement; the table decides, so a note lost in a merge does no harm.
 */
function newUse(deps: AdapterDeps, payload: SessionPayload): ClientUse | undefined {
  const oidc = Provider.ctx?.oidc;
  const clientId = oidc?.client?.clientId;
  const authorized = oidc?.entities.AuthorizationCode ?? oidc?.deviceCode;
  const authorization = clientId === undefined ? undefined : payload.authorizations?.[clientId];
  if (clientId === undefined || !authorized || typeof authorization?.['sid'] !== 'string') return undefined;
  // A visit of the account pages is nothing that the client knows of: it holds no ID token of it.
  if (oidc?.params?.['redirect_uri'] === accountReturnUrl(deps)) return undefined;
  const issuers = (authorization['issuers'] as string[] | undefined) ?? [];
  if (issuers.includes(deps.issuerUrl)) return undefined;
  authorization['issuers'] = [...issuers, deps.issuerUrl];
  // The keys that sign there: an app's domain has those of the app.
  const issuerKind = deps.issuer === 'shared' ? 'shared' : 'own';
  return { clientId, sid: authorization['sid'], issuer: deps.issuerUrl, issuerKind };
}

function begin(deps: AdapterDeps, next: Next & { payload: { uid: string } }): void {
  const ctx = Provider.ctx;
  const { digest, payload, use } = next;
  const { row, session } = sessionToBegin(deps, {
    uid: payload.uid,
    digest,
    payload,
    use,
    userAgent: ctx?.get('user-agent'),
    address: ctx && stateOf(ctx).clientAddress,
  });
  const known = remember({ ...row, payload: structuredClone(payload) });
  unitOfWork().add(
    async (tx) => {
      const { payload: latest } = known;
      if (!(await insertSession(tx, { ...session, payload: latest }))) return loginRequired;
      // The redemption of its first code asks for it.
      tx.afterCommit(() => fillSession(deps, { ...row, payload: latest }));
      return undefined;
    },
    { asks: 'one' },
  );
}

function change(deps: AdapterDeps, known: Known, next: Next): void {
  const renewed = known.digest !== next.digest;
  known.ending = false;
  if (!renewed && Number(known.idle_for) < TOUCH_SECONDS && isSame(known.payload, next.payload)) return;
  const write = {
    appId: deps.appId,
    uid: known.uid,
    fromDigest: known.digest,
    toDigest: next.digest,
    version: known.version,
    payload: next.payload,
    removedClients: Object.keys(known.readPayload.authorizations ?? {}).filter(
      (clientId) => !next.payload.authorizations?.[clientId],
    ),
    idleSeconds: deps.snapshot.app.settings.session_idle_ttl,
    use: next.use,
  };
  const save: Write = async (tx) => {
    const stored = await updateSession(tx, write);
    if (!stored) {
      // The cache may not know, if whatever ended it died itself. Under its digest nothing lives again.
      tx.afterCommit(() => deps.cache.bury(deps.appId, [{ kind: 'session', id: write.fromDigest }]));
      return loginRequired;
    }
    tx.afterCommit(() => fillSession(deps, stored));
    if (renewed)
      tx.afterCommit(() => deps.cache.bury(deps.appId, [{ kind: 'session', id: write.fromDigest }]));
    return undefined;
  };
  unitOfWork().add(save, { asks: 'one' });
  Object.assign(known, {
    digest: next.digest,
    payload: structuredClone(next.payload),
    version: String(Number(known.version) + Number(renewed)),
    idle_for: '0',
  });
  unitOfWork().memo.set(`session:${next.digest}`, known);
}

function isSame(one: SessionPayload, other: SessionPayload): boolean {
  if (one === other) return true;
  const { authorizations: before = {}, ...rest } = one;
  const { authorizations: after = {}, ...others } = other;
  return isDeepStrictEqual(strip(rest), strip(others)) && isDeepStrictEqual(before, after);
}

/** As it comes back from JSON, so that what was read compares equal to what would be written. */
const strip = (payload: object): unknown =>
  JSON.parse(JSON.stringify({ ...payload, exp: undefined, iat: undefined, jti: undefined }));
