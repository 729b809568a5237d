import type { Adapter, AdapterPayload } from 'oidc-provider';
import { digestOf } from '../../kernel/secret.ts';
import { type AdapterDeps, onThisClock } from './adapter-deps.ts';
import { pushedRequestAlias } from './pushed-request-adapter.ts';
import { type IssuerKind, protocolRoutes } from '../issuers.ts';

/** The uid is also the value of the browser's cookie, so the store only gets its digest. */
export const interactionKey = (uid: string): string => `interaction:${digestOf(uid)}`;

export type StoredInteraction = {
  issuer: IssuerKind;
  /** How long it was kept at most; releases before 0.2 did not say so. */
  ttlSeconds?: number;
  payload: {
    prompt?: { name: string; reasons?: string[]; details?: Record<string, unknown> };
    params?: Record<string, unknown>;
    session?: { accountId?: string; uid?: string; cookie?: string };
  } & Record<string, unknown>;
};

/** Interactions: authorization requests that wait for their person. They begin and go on at the same issuer. */
export function interactionAdapter(deps: AdapterDeps): Adapter {
  const { appId } = deps;
  return {
    async upsert(uid, payload, ttlSeconds = 1) {
      const {
        jti: _jti,
        returnTo: _returnTo,
        exp: _exp,
        session,
        parJti,
        ...rest
      } = payload as StoredInteraction['payload'];
      const kept = typeof parJti === 'string' ? { ...rest, parJti: pushedRequestAlias(parJti) } : rest;
      const { cookie: _cookie, ...sessionKept } = session ?? {};
      const stored: StoredInteraction = {
        issuer: deps.issuer,
        ttlSeconds,
        payload: session ? { ...kept, session: sessionKept } : kept,
      };
      await deps.ephemeral.put(appId, interactionKey(uid), JSON.stringify(stored), { ttlSeconds });
    },
    async find(uid) {
      const found = await deps.ephemeral.get(appId, interactionKey(uid));
      if (!found) return undefined;
      const { issuer, payload } = JSON.parse(found.value) as StoredInteraction;
      if (issuer !== deps.issuer) return undefined;
      const { authorization, code_verification } = protocolRoutes;
      const door = payload['deviceCode'] === undefined ? authorization : code_verification;
      const returnTo = `${deps.issuerUrl}${door}/${uid}`;
      return onThisClock({ ...payload, jti: uid, returnTo }, found.remainingSeconds) as AdapterPayload;
    },
    async destroy(uid) {
      await deps.ephemeral.delete(appId, interactionKey(uid));
    },
    consume: () => Promise.reject(new Error('interactions are not consumed')),
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    revokeByGrantId: () => Promise.resolve(),
  };
}
