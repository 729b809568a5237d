import type { Adapter, AdapterPayload } from 'oidc-provider';
import { Provider } from 'oidc-provider';
import { isRefreshBoundToSession } from '../../apps/app.ts';
import { audit } from '../../events/audit.ts';
import type { AuditEvent } from '../../events/event.ts';
import { lookingUp } from '../../storage/database.ts';
import { type GrantPayload, liveGrant, saveGrant, type StoredGrant } from '../../users/grants/store.ts';
import { protocolAuthor } from '../author.ts';
import { unitOfWork, type Write } from '../unit-of-work.ts';
import { type AdapterDeps, onThisClock } from './adapter-deps.ts';

/** A grant that another statement of this request has read already. */
export function rememberGrant(grantId: string, payload: GrantPayload, remaining: string): void {
  unitOfWork().memo.set(`grant:${grantId}`, { payload, remaining });
}

/** The grant that this request has read, if it is that of this client and this person. */
export function rememberedGrant(
  grantId: string,
  of: { clientId: string | undefined; accountId: string | undefined },
): GrantPayload | undefined {
  const seen = unitOfWork().memo.get(`grant:${grantId}`) as Seen | undefined;
  const { clientId, accountId } = seen?.payload ?? {};
  return clientId === of.clientId && accountId === of.accountId ? seen?.payload : undefined;
}

/** So long a grant has to live beyond what hangs on it to be left as it is; no answer of the cache is that old. */
const AMPLE_SECONDS = 3600;

/** Whether the grant that this request has read lives longer than what is made of it now. */
export function outlives(grantId: string, ttlSeconds: number): boolean {
  const seen = unitOfWork().memo.get(`grant:${grantId}`) as Seen | undefined;
  return seen !== undefined && Number(seen.remaining) > ttlSeconds + AMPLE_SECONDS;
}

/**
 * A revocation that meets a dead token is acknowledged like any other (RFC 7009 §2.2). Whatever killed it may have died
 * itself before the cache knew, so that it is told again.
 */
export function revokeAgain(
  { access, appId }: AdapterDeps,
  token: { grantId: string } | { digest: string },
): void {
  const oidc = Provider.ctx?.oidc;
  const clientId = oidc?.client?.clientId;
  if (oidc?.route !== 'revocation' || clientId === undefined) return;
  unitOfWork().add((tx) => access.revokeGrantAgain(tx, { ...token, appId, clientId }));
}

/** Sign-out and the reuse of a refresh token are recorded where they happen. */
const RECORDED: Record<string, Pick<AuditEvent, 'type' | 'result'>> = {
  code_reused: { type: 'authorization_code.reused', result: 'failure' },
  revoked: { type: 'grant.revoked', result: 'success' },
};

type Seen = Pick<StoredGrant, 'payload' | 'remaining'>;

/** Grants: what a user allowed a client. Revoking one ends every token that came from it. */
export class GrantAdapter implements Adapter {
  readonly #deps: AdapterDeps;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const memo = unitOfWork().memo;
    const stored = (memo.get(`grant:${id}`) as Seen | undefined) ?? (await this.#read(id));
    if (!stored) return undefined;
    memo.set(`grant:${id}`, stored);
    return onThisClock(
      { ...stored.payload, jti: id, kind: 'Grant' },
      Number(stored.remaining),
    ) as AdapterPayload;
  }

  async upsert(id: string, payload: AdapterPayload, ttlSeconds = 1): Promise<void> {
    const { appId, cache } = this.#deps;
    const { jti: _jti, exp: _exp, iat: _iat, ...kept } = payload as GrantPayload;
    const clientId = String(kept['clientId']);
    const userId = String(kept['accountId']);
    const grant = {
      appId,
      grantId: id,
      userId,
      clientId,
      sessionUid: this.#sessionOf(clientId),
      payload: kept,
      ttlSeconds,
    };
    const { memo } = unitOfWork();
    const isNew = !memo.has(`grant:${id}`);
    memo.set(`grant:${id}`, { payload: kept, remaining: String(ttlSeconds) } satisfies Seen);
    const save: Write = async (tx) => {
      const saved = await saveGrant(tx, grant);
      if (!saved) return { error: 'login_required', description: 'the grant was revoked' };
      const { revision } = saved;
      const value = JSON.stringify({ payload: kept, remaining: String(ttlSeconds), revision });
      const fill = { kind: 'grant', id, version: Number(revision), value, ttlSeconds } as const;
      tx.afterCommit(() => cache.fill(appId, fill));
      return undefined;
    };
    // Nobody can have revoked what nobody knows.
    unitOfWork().add(save, { asks: 'one', isSure: isNew });
  }

  async destroy(id: string): Promise<void> {
    const { access, appId } = this.#deps;
    const signingOut = Provider.ctx?.oidc?.route === 'end_session_confirm';
    const why = signingOut ? 'signed_out' : String(unitOfWork().memo.get('revocation-reason') ?? 'revoked');
    const by = protocolAuthor();
    unitOfWork().add(async (tx) => {
      const { grants } = await access.revokeGrant(tx, { appId, grantId: id, why });
      const event = RECORDED[why];
      const [ended] = grants;
      if (!ended || !event) return;
      await audit(tx, {
        ...by,
        ...event,
        appId,
        // Whose it was says the row: a token found in the cache was never read with its grant.
        userId: ended.user_id,
        details: { grant_id: id },
      });
    });
  }

  async consume(): Promise<void> {
    throw new Error('grants are not consumed');
  }

  async findByUid(): Promise<undefined> {}

  async findByUserCode(): Promise<undefined> {}

  async revokeByGrantId(): Promise<void> {}

  /** The session whose end is the grant's end, for clients that want it so. */
  #sessionOf(clientId: string): string | undefined {
    const client = this.#deps.snapshot.clients.get(clientId);
    if (!client || !isRefreshBoundToSession(client)) return undefined;
    return (
      Provider.ctx?.oidc?.session?.uid ??
      (unitOfWork().memo.get('session-of-interaction') as string | undefined)
    );
  }

  async #read(grantId: string): Promise<Seen | undefined> {
    const { appId, cache, db } = this.#deps;
    const found = await cache.read(appId, 'grant', grantId);
    if (found === 'gone') return undefined;
    if (found !== undefined) return JSON.parse(found) as StoredGrant;
    const stored = await liveGrant(lookingUp(db, appId), appId, grantId);
    if (stored) {
      const value = JSON.stringify(stored);
      await cache.fill(appId, {
        kind: 'grant',
        id: grantId,
        version: Number(stored.revision),
        value,
        ttlSeconds: Number(stored.remaining),
      });
    }
    return stored;
  }
}
