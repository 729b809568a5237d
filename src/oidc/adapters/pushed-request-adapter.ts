import type { Adapter, AdapterPayload } from 'oidc-provider';
import { Provider } from 'oidc-provider';
import { digestOf } from '../../kernel/secret.ts';
import { scoped } from '../../storage/database.ts';
import { isSpent, spend } from '../../storage/spent.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { type AdapterDeps, epochSeconds, onThisClock } from './adapter-deps.ts';

/** An interaction remembers which pushed request it came from, but only its digest. No id has a colon. */
const ALIAS = 'digest:';
/** One request may wait for its person at so many prompts, one after the other. */
const MOST_PROMPTS = 4;

export const pushedRequestAlias = (id: string): string => (id.startsWith(ALIAS) ? id : ALIAS + digestOf(id));

const isUsed = { error: 'invalid_request_uri', description: 'request_uri was already used' };

/**
 * Pushed authorization requests (RFC 9126), at the issuer they were pushed to. Loading one spends nothing, so a
 * person may reload; the one authorization that it ends in is decided in Postgres, also after the request itself
 * has expired while the person was signing in.
 */
export function pushedRequestAdapter(deps: AdapterDeps): Adapter {
  const { appId } = deps;
  const { par_ttl: ttl, interaction_ttl: interactionTtl } = deps.snapshot.app.settings;
  const key = (digest: string): string => `par:${deps.issuer}:${digest}`;
  return {
    async upsert(id, payload, ttlSeconds = 1) {
      const { jti: _jti, ...kept } = payload;
      await deps.ephemeral.put(appId, key(digestOf(id)), JSON.stringify(kept), {
        ttlSeconds: Math.max(1, Math.min(ttlSeconds, ttl)),
      });
    },
    async find(id) {
      const resumed = id.startsWith(ALIAS);
      // What is at rest opens nothing: a digest only counts where our own interaction brings it.
      if (resumed && Provider.ctx?.oidc?.route !== 'resume') return undefined;
      const digest = digestIn(id);
      const found = await deps.ephemeral.get(appId, key(digest));
      if (!found && !resumed) return undefined;
      const spent = await isSpent(scoped(deps.db, appId), appId, 'pushed_request', digest);
      const consumed = spent ? { consumed: epochSeconds() } : {};
      const expired = { kind: 'PushedAuthorizationRequest', exp: epochSeconds() } as AdapterPayload;
      const payload = found
        ? onThisClock(JSON.parse(found.value) as AdapterPayload, found.remainingSeconds)
        : expired;
      return { ...payload, ...consumed, jti: id };
    },
    consume(id) {
      unitOfWork().add(async (tx) => {
        const ttlSeconds = ttl + MOST_PROMPTS * interactionTtl;
        const won = await spend(tx, { appId, kind: 'pushed_request', digest: digestIn(id), ttlSeconds });
        return won ? undefined : isUsed;
      });
      return Promise.resolve();
    },
    async destroy(id) {
      await deps.ephemeral.delete(appId, key(digestIn(id)));
    },
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    revokeByGrantId: () => Promise.resolve(),
  };
}

const digestIn = (id: string): string => (id.startsWith(ALIAS) ? id.slice(ALIAS.length) : digestOf(id));
