import type { Transaction } from '../../storage/database.ts';
import { removeAllFactors } from '../../users/factors/remove.ts';
import { forgetDevices } from '../../users/devices/store.ts';
import { dropEmailChange } from '../../users/email-changes/store.ts';
import { removePassword } from '../../users/passwords/store.ts';
import { lockUser, markEmailVerified } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { completeSignIn } from '../complete.ts';
import { linkDead } from '../errors.ts';
import type { Proof } from './proof.ts';
import { killProof } from './store.ts';
import { spendProof } from './try-code.ts';
import type { Step } from '../step.ts';

/** Signs in with what was mailed, once. Problem `sign_in.link_dead` when another request was first. */
export async function signInByMail(
  step: Step,
  proof: Proof,
  { method, way }: { method: string; way: 'link' | 'code' },
): Promise<void> {
  const { deps, appId } = step;
  const { userId, email, kind, digest } = proof;
  if (userId === undefined) throw linkDead();
  await completeSignIn(step, {
    method,
    // RFC 8176 has no word for a mailed link or code; it is one factor and never "otp" or "mfa" (NIST SP 800-63B-4 §3.1.3).
    amr: ['email'],
    identifier: email,
    async who(tx) {
      await spendProof(tx, appId, proof, way);
      const user = await lockUser(tx, appId, userId);
      if (!user || user.disabledAt || user.email !== email) throw linkDead();
      if (!user.emailVerified) await takeOver(step, tx, user);
      return user;
    },
  });
  await killProof(deps.ephemeral, { appId, digest, kind });
}

/**
 * The first proof that the address belongs to somebody. Whoever made the account before may have been somebody
 * else, waiting (Sudhodanan & Paverd 2022, classic-federated merge and unexpired session): nothing of theirs stays.
 */
async function takeOver(
  { deps, interaction }: Step,
  tx: Transaction,
  { appId, userId, email }: User,
): Promise<void> {
  await removePassword(tx, appId, userId);
  await removeAllFactors(tx, appId, userId);
  await dropEmailChange(tx, appId, userId);
  await forgetDevices(tx, appId, userId);
  await deps.access.endUserAccess(tx, {
    appId,
    userId,
    why: 'email_verified',
    exceptSessionUid: interaction.sessionUid,
  });
  await markEmailVerified(tx, appId, userId, email);
}
