import type { Adapter, AdapterPayload } from 'oidc-provider';
import { Provider } from 'oidc-provider';
import { deriveKey, digestOf, macOf } from '../../kernel/secret.ts';
import { lookingUp, type Queryable, type Transaction } from '../../storage/database.ts';
import { rotateBesideOthers, rotateRefreshToken } from '../../users/grants/rotation.ts';
import {
  insertRefreshToken,
  refreshTokenByDigest,
  spendRefreshToken,
  type StoredRefreshToken,
} from '../../users/grants/store.ts';
import { audit } from '../../events/audit.ts';
import type { AuditEvent } from '../../events/event.ts';
import { rememberUser } from '../account.ts';
import { type ProtocolAuthor, type Refusal, routeNow, unitOfWork, type Write } from '../unit-of-work.ts';
import { provedKey } from '../features/dpop.ts';
import { protocolAuthor } from '../author.ts';
import { type AdapterDeps, epochSeconds, onThisClock } from './adapter-deps.ts';
import { jwtAlias } from './access-token-adapter.ts';
import { outlives, rememberGrant, revokeAgain } from './grant-adapter.ts';
import { beginSpending, joinSpending } from './spending.ts';

/** How this request's rotation goes: the first use, or a retry that gets the same successor again. */
export type Rotation = { predecessor: string; successor: string; kind: 'first' | 'retry' };

const invalidGrant: Refusal = { error: 'invalid_grant', description: 'grant request is invalid' };

/** The rotation under way in this request, if its refresh token was found and may be rotated. */
export const rotationOf = (): Rotation | undefined =>
  unitOfWork().memo.get('rotation') as Rotation | undefined;

/**
 * Refresh tokens (RFC 9700 §4.14.2), single-use for every client. The successor is derived from its predecessor,
 * never drawn, so a client that lost the answer gets the byte-identical token again although only its digest is
 * stored: within the grace, at this issuer, and only while the successor is unused. Anything else is reuse and
 * revokes the family.
 */
export class RefreshTokenAdapter implements Adapter {
  readonly #deps: AdapterDeps;
  readonly #successorKeys: readonly Buffer[];

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#successorKeys = deps.rootKeys.map((root) => deriveKey(root, `refresh-successor:${deps.appId}`));
  }

  async find(value: string): Promise<AdapterPayload | undefined> {
    // Introspection and revocation ask every model; a JWT is none of ours.
    if (value.startsWith(jwtAlias)) return undefined;
    const successors = this.#successorsOf(value, await provedKey(Provider.ctx, this.#deps.snapshot));
    // In one statement with its grant and its person: a cache would answer no sooner, and never knew who is disabled.
    const stored = await this.#read(lookingUp(this.#deps.db, this.#deps.appId), value);
    if (!stored) {
      revokeAgain(this.#deps, { digest: digestOf(value) });
      return undefined;
    }
    const payload = stored.payload as AdapterPayload;
    const remaining = Number(stored.remaining);
    rememberGrant(String(payload.grantId), stored.grant_payload, stored.grant_remaining);
    rememberUser(stored.person);
    if (!stored.consumed) return firstUse(successors, value, { payload, remaining });
    const token = { ...onThisClock(payload, remaining), jti: value };
    const memo = unitOfWork().memo;
    // Elsewhere (introspection, revocation) a spent token is just spent.
    const retry = routeNow() === 'token' ? sameSuccessor(stored, successors) : undefined;
    if (retry) {
      memo.set('rotation', { predecessor: value, successor: retry, kind: 'retry' } satisfies Rotation);
      return token;
    }
    memo.set('revocation-reason', 'refresh_token_reused');
    memo.set('reused-user', String(payload.accountId));
    return { ...token, consumed: epochSeconds() };
  }

  async consume(value: string): Promise<void> {
    const rotation = rotationOf();
    if (!rotation) throw new Error('a refresh token was consumed that was not found in this request');
    const { appId } = this.#deps;
    const by = protocolAuthor();
    const digest = digestOf(value);
    const spend: Write = async (tx) => {
      if (rotation.kind === 'retry') return undefined;
      const { token } = spending;
      spending.outcome = token
        ? await rotateRefreshToken(tx, { digest, token })
        : {
            spent: await spendRefreshToken(tx, { appId, digest, successor: digestOf(rotation.successor) }),
            added: false,
          };
      if (spending.outcome.spent) return undefined;
      // Another request was faster. Within the grace that is the same person's second tab.
      const stored = await this.#read(tx, value);
      if (stored && sameSuccessor(stored, [rotation.successor])) {
        rotation.kind = 'retry';
        return undefined;
      }
      if (stored) await revokeFamily(this.#deps, tx, { by, payload: stored.payload as AdapterPayload });
      return invalidGrant;
    };
    const spending = beginSpending(spend);
    unitOfWork().add(spend, {
      asks: 'one',
      besideOthers: async (q) => {
        const { token } = spending;
        if (rotation.kind === 'retry' || !token?.isOutlived) return false;
        return rotateBesideOthers(q, { digest, token });
      },
    });
  }

  async upsert(id: string, payload: AdapterPayload, ttlSeconds = 1): Promise<void> {
    const { jti: _jti, exp: _exp, ...kept } = payload;
    const rotation = rotationOf();
    const rotated = rotation?.successor === id ? rotation : undefined;
    const token = {
      appId: this.#deps.appId,
      digest: digestOf(id),
      issuer: this.#deps.issuer,
      grantId: String(kept.grantId),
      clientId: String(kept.clientId),
      userId: String(kept.accountId),
      sessionUid: kept.expiresWithSession ? kept.sessionUid : undefined,
      predecessor: rotated && digestOf(rotated.predecessor),
      // Whether it ends with the session is decided by its grant, which sign-out revokes; idle time alone does not.
      payload: { ...kept, expiresWithSession: undefined, endsWithSession: kept.expiresWithSession ?? false },
      ttlSeconds,
      isOutlived: outlives(String(kept.grantId), ttlSeconds),
    };
    const joined = joinSpending(token);
    unitOfWork().add(
      async (tx) => {
        if (rotated?.kind === 'retry') return undefined;
        const added = joined?.outcome ? joined.outcome.added : await insertRefreshToken(tx, token);
        return added ? undefined : invalidGrant;
      },
      { asks: joined ? 'nothing' : 'one' },
    );
  }

  async destroy(): Promise<void> {
    if (unitOfWork().memo.get('revocation-reason') === 'refresh_token_reused') {
      const userId = unitOfWork().memo.get('reused-user') as string | undefined;
      const event = reuse(this.#deps, protocolAuthor(), userId);
      unitOfWork().add((tx) => audit(tx, event));
    }
    // The library revokes the grant right behind; without it the token is worth nothing.
  }

  async findByUid(): Promise<undefined> {}

  async findByUserCode(): Promise<undefined> {}

  async revokeByGrantId(): Promise<void> {}

  /** The proved key or certificate goes into it: whoever retries with another (RFC 9449 §5, RFC 8705 §4) gets nowhere near the same successor. */
  #successorsOf(value: string, key: string | undefined): string[] {
    const message = key === undefined ? value : `${value} ${key}`;
    return this.#successorKeys.map((root) => macOf(root, message));
  }

  #read(q: Queryable, value: string): Promise<StoredRefreshToken | undefined> {
    const { appId, issuer, snapshot } = this.#deps;
    return refreshTokenByDigest(q, {
      appId,
      digest: digestOf(value),
      issuer,
      graceSeconds: snapshot.app.settings.refresh_grace,
    });
  }
}

function firstUse(
  successors: string[],
  value: string,
  { payload, remaining }: { payload: AdapterPayload; remaining: number },
): AdapterPayload {
  unitOfWork().memo.set('rotation', {
    predecessor: value,
    successor: successors[0]!,
    kind: 'first',
  } satisfies Rotation);
  return { ...onThisClock(payload, remaining), jti: value };
}

/** The successor a retry may have again, if this is one. */
function sameSuccessor(stored: StoredRefreshToken, successors: string[]): string | undefined {
  if (!stored.in_grace || stored.successor_consumed) return undefined;
  return successors.find((successor) => digestOf(successor) === stored.successor);
}

async function revokeFamily(
  deps: AdapterDeps,
  tx: Transaction,
  { by, payload }: { by: ProtocolAuthor; payload: AdapterPayload },
): Promise<void> {
  const grantId = String(payload.grantId);
  await deps.access.revokeGrant(tx, { appId: deps.appId, grantId, why: 'refresh_token_reused' });
  await audit(tx, reuse(deps, by, payload.accountId));
}

const reuse = (deps: AdapterDeps, by: ProtocolAuthor, userId: string | undefined): AuditEvent => ({
  ...by,
  appId: deps.appId,
  type: 'refresh_token.reused',
  userId,
  result: 'failure',
});
