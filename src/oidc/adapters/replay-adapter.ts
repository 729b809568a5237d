import type { Adapter } from 'oidc-provider';
import { ASSERTION_UNDER_WAY } from '../client-authentication.ts';
import { unitOfWork } from '../unit-of-work.ts';

/**
 * The library looks for a used `jti` and then saves it, so two at once would both pass. For client assertions the single
 * use is decided elsewhere, by one insert (client-authentication.ts); here there is nothing left to do.
 */
export function replayAdapter(refusing: Adapter): Adapter {
  return {
    ...refusing,
    find: () => Promise.resolve(undefined),
    upsert(id, payload, ttlSeconds) {
      if (unitOfWork().memo.get(ASSERTION_UNDER_WAY) !== id)
        return refusing.upsert(id, payload, ttlSeconds ?? 1);
      unitOfWork().memo.delete(ASSERTION_UNDER_WAY);
      return Promise.resolve();
    },
  };
}
