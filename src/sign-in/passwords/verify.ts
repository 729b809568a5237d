import { lookingUp } from '../../storage/database.ts';
import { claimantOf } from '../../users/passwords/store.ts';
import type { SignInDeps } from '../deps.ts';
import type { Attempt } from '../lockout/attempt.ts';
import { reserveAttemptFrom } from '../lockout/reserve.ts';
import { isWeaker } from './argon2.ts';

export type Verified =
  | { ok: true; userId: string; attempt: Attempt; renewed: { oldHash: string; hash: string } | undefined }
  | { ok: false; reason: 'locked' | 'credentials'; userId: string | undefined };

export type Claimed = { appId: string; email: string; password: string; device: string | undefined };

/**
 * Checks a password. The attempt is counted before the hash is computed, so parallel guesses get no more tries
 * than serial ones. Unknown addresses cost the same statements and the same hash. `ok` signs nobody in.
 * Problem `password.busy` before anything is counted when too many hashes are waiting.
 */
export async function verifyPassword(
  deps: Pick<SignInDeps, 'db' | 'hasher'>,
  claimed: Claimed,
): Promise<Verified> {
  const { appId, email, password, device } = claimed;
  return deps.hasher.inTurn(async ({ hash, verify }) => {
    const claimant = await claimantOf(lookingUp(deps.db, appId), { appId, email, device: device ?? '' });
    const { userId, hash: stored, decoy, knowsDevice } = claimant;
    const at = { appId, identifier: email, device, isKnown: knowsDevice };
    const attempt = await reserveAttemptFrom(deps.db, at);
    if (!attempt.letThrough) return { ok: false, reason: 'locked', userId };
    const matches = await verify(stored, password, decoy);
    if (!matches || userId === undefined || claimant.isDisabled || stored === undefined)
      return { ok: false, reason: 'credentials', userId };
    const renewed = isWeaker(stored) ? { oldHash: stored, hash: await hash(password) } : undefined;
    return { ok: true, userId, attempt, renewed };
  });
}
