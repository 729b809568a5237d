import { scoped } from '../../storage/database.ts';
import type { SignInDeps } from '../deps.ts';
import type { Attempt } from '../lockout/attempt.ts';
import { isWeaker } from './argon2.ts';
import { countedClaimant } from './claimant.ts';

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
    const claim = { appId, email, device: device ?? '' };
    const { claimant, attempt } = await countedClaimant(scoped(deps.db, appId), claim);
    const { userId, hash: stored, decoy } = claimant;
    if (!attempt.letThrough) return { ok: false, reason: 'locked', userId };
    const matches = await verify(stored, password, decoy);
    if (!matches || userId === undefined || claimant.isDisabled || stored === undefined)
      return { ok: false, reason: 'credentials', userId };
    const renewed = isWeaker(stored) ? { oldHash: stored, hash: await hash(password) } : undefined;
    return { ok: true, userId, attempt, renewed };
  });
}
