import type { Adapter, AdapterPayload } from 'oidc-provider';
import { Provider } from 'oidc-provider';
import { isRefreshBoundToSession } from '../../apps/app.ts';
import { scoped } from '../../storage/database.ts';
import { type GrantPayload, liveGrant, saveGrant, type StoredGrant } from '../../users/grants/store.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { type AdapterDeps, onThisClock } from './adapter-deps.ts';

/** A grant that another statement of this request has read already. */
export function rememberGrant(grantId: string, payload: GrantPayload, remaining: string): void {
  unitOfWork().memo.set(`grant:${grantId}`, { payload, remaining });
}

/** Grants: what a user allowed a client. Revoking one ends every token that came from it. */
export function grantAdapter(deps: AdapterDeps): Adapter {
  const { appId } = deps;
  const read = async (grantId: string): Promise<Pick<StoredGrant, 'payload' | 'remaining'> | undefined> => {
    const found = await deps.cache.read(appId, 'grant', grantId);
    if (found === 'gone') return undefined;
    if (found !== undefined) return JSON.parse(found) as StoredGrant;
    const stored = await liveGrant(scoped(deps.db, appId), appId, grantId);
    if (stored) {
      await deps.cache.fill(appId, { kind: 'grant', id: grantId, version: Number(stored.revision), value: JSON.stringify(stored), ttlSeconds: Number(stored.remaining) });
    }
    return stored;
  };
  return {
    async find(id) {
      const memo = unitOfWork().memo;
      const seen = memo.get(`grant:${id}`) as Pick<StoredGrant, 'payload' | 'remaining'> | undefined;
      const stored = seen ?? (await read(id));
      if (!stored) return undefined;
      memo.set(`grant:${id}`, stored);
      return onThisClock({ ...stored.payload, jti: id, kind: 'Grant' }, Number(stored.remaining)) as AdapterPayload;
    },
    async upsert(id, payload, ttlSeconds = 1) {
      const { jti: _jti, exp: _exp, iat: _iat, ...kept } = payload as GrantPayload;
      const clientId = String(kept['clientId']);
      const client = deps.snapshot.clients.get(clientId);
      const oidc = Provider.ctx?.oidc;
      const grant = {
        appId,
        grantId: id,
        userId: String(kept['accountId']),
        clientId,
        sessionUid: client && isRefreshBoundToSession(client) ? (oidc?.session?.uid ?? (unitOfWork().memo.get('session-of-interaction') as string | undefined)) : undefined,
        payload: kept,
        ttlSeconds,
      };
      unitOfWork().memo.set(`grant:${id}`, { payload: kept, remaining: String(ttlSeconds) });
      unitOfWork().add(async (tx) => {
        const saved = await saveGrant(tx, grant);
        if (!saved) return { error: 'login_required', description: 'the grant was revoked' };
        const value = JSON.stringify({ payload: kept, remaining: String(ttlSeconds), revision: saved.revision });
        tx.afterCommit(() => deps.cache.fill(appId, { kind: 'grant', id, version: Number(saved.revision), value, ttlSeconds }));
        return undefined;
      });
    },
    async destroy(id) {
      const why = String(unitOfWork().memo.get('revocation-reason') ?? 'revoked');
      unitOfWork().add(async (tx) => {
        await deps.access.revokeGrant(tx, { appId, grantId: id, why });
      });
    },
    consume: () => Promise.reject(new Error('grants are not consumed')),
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    revokeByGrantId: () => Promise.resolve(),
  };
}
