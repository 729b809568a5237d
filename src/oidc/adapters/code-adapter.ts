import type { Adapter, AdapterPayload } from 'oidc-provider';
import { digestOf } from '../../kernel/secret.ts';
import { lookingUp, type Queryable } from '../../storage/database.ts';
import { spend, spendBesideOthers } from '../../storage/spent.ts';
import { redeemBesideOthers, redeemCodeForRefreshToken } from '../../users/grants/rotation.ts';
import { codeState } from '../../users/grants/token-state.ts';
import { rememberUser } from '../account.ts';
import { unitOfWork, type Write } from '../unit-of-work.ts';
import { type AdapterDeps, epochSeconds, onThisClock } from './adapter-deps.ts';
import { rememberGrant } from './grant-adapter.ts';
import { beginSpending } from './spending.ts';

/** Two redemptions closer together than this are one client's double click, not a theft. */
const INNOCENT_SECONDS = 2;
/** What the store gives still lives on its clock; how much longer is nobody's question, only that it is no less than a request. */
const ALIVE_SECONDS = 60;
/** A spent code is remembered so long, to recognize its reuse. */
const MEMORY_SECONDS = 3600;

/**
 * Authorization codes. Which redemption counts is decided by one insert in the transaction that also writes what the
 * code gives; a later redemption by the same client with the right verifier revokes it all (RFC 6749 §4.1.2).
 */
export function codeAdapter(deps: AdapterDeps): Adapter {
  const { appId } = deps;
  // The issuer is in the key: at the other issuer the code does not exist.
  const key = (digest: string): string => `code:${deps.issuer}:${digest}`;
  return {
    async upsert(id, payload, ttlSeconds = 1) {
      const { jti: _jti, ...kept } = payload;
      await deps.ephemeral.put(appId, key(digestOf(id)), JSON.stringify(kept), { ttlSeconds });
    },
    async find(id) {
      const digest = digestOf(id);
      const found = await deps.ephemeral.read(appId, key(digest));
      if (!found) return undefined;
      const payload = JSON.parse(found) as AdapterPayload;
      const state = await codeState(lookingUp(deps.db, appId), {
        appId,
        kind: 'code',
        digest,
        grantId: String(payload.grantId),
      });
      if (state.spent_for !== null && Number(state.spent_for) < INNOCENT_SECONDS) return undefined;
      if (state.grant_payload && state.grant_remaining)
        rememberGrant(String(payload.grantId), state.grant_payload, state.grant_remaining);
      rememberUser(state.person);
      const consumed = state.spent_for === null ? {} : { consumed: epochSeconds() };
      if (state.spent_for !== null) unitOfWork().memo.set('revocation-reason', 'code_reused');
      return { ...onThisClock(payload, ALIVE_SECONDS), ...consumed, jti: id };
    },
    consume(id) {
      const code = { digest: digestOf(id), ttlSeconds: MEMORY_SECONDS };
      const write: Write = async (tx) => {
        const { token } = spending;
        spending.outcome = token
          ? await redeemCodeForRefreshToken(tx, { code, token })
          : { spent: await spend(tx, { appId, kind: 'code', ...code }), added: false };
        // Lost by a hair: nothing of the winner's is touched.
        if (spending.outcome.spent) return undefined;
        return { error: 'invalid_grant', description: 'grant request is invalid' };
      };
      const spending = beginSpending(write);
      const besideOthers = async (q: Queryable): Promise<boolean> => {
        const { token } = spending;
        if (!token) return spendBesideOthers(q, { appId, kind: 'code', ...code });
        return token.isOutlived && redeemBesideOthers(q, { code, token });
      };
      unitOfWork().add(write, { asks: 'one', besideOthers });
      return Promise.resolve();
    },
    async destroy(id) {
      await deps.ephemeral.delete(appId, key(digestOf(id)));
    },
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    // A code is worth nothing without its grant, which is what is revoked.
    revokeByGrantId: () => Promise.resolve(),
  };
}
