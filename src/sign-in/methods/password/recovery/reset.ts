import { audit } from '../../../../events/audit.ts';
import type { Transaction } from '../../../../storage/database.ts';
import { removeAllFactors } from '../../../../users/factors/remove.ts';
import { forgetDevices } from '../../../../users/devices/store.ts';
import { dropEmailChange } from '../../../../users/email-changes/store.ts';
import { setPassword } from '../../../../users/passwords/store.ts';
import { lockUser, markEmailVerified } from '../../../../users/store.ts';
import type { User } from '../../../../users/user.ts';
import { authorOf } from '../../../author.ts';
import { completeSignIn } from '../../../complete.ts';
import { linkDead } from '../../../errors.ts';
import { subjectOf } from '../../../lockout/attempt.ts';
import { clearAllFailures } from '../../../lockout/store.ts';
import type { Proof } from '../../../mailed-proof/proof.ts';
import { killWaysIn } from '../../../mailed-proof/store.ts';
import { spendProof } from '../../../mailed-proof/try-code.ts';
import type { LinkRequest, Step } from '../../../step.ts';
import { tellOwner } from '../../../tell-owner.ts';
import { removeNewPasskeys } from './new-passkeys.ts';

/** Sets the new password and signs in where the recovery began. Problem `sign_in.link_dead` when it was used before. */
export async function resetAndSignIn(step: Step, proof: Proof, password: string): Promise<void> {
  const hash = await step.deps.hasher.hash(password);
  await completeSignIn(step, {
    method: 'reset',
    // What was proved is the mailbox; the password was set, not known.
    amr: ['email'],
    identifier: proof.email,
    who: (tx) => recover(tx, step, proof, hash),
  });
}

/** The same without signing in: in another browser, or too late. */
export async function resetPassword(request: LinkRequest, proof: Proof, password: string): Promise<void> {
  const hash = await request.deps.hasher.hash(password);
  await request.deps.db.transaction(request.appId, (tx) => recover(tx, request, proof, hash));
}

/**
 * A recovery leaves nothing of whoever was in before: sessions, grants and their tokens, known devices, links on
 * their way (Sudhodanan & Paverd 2022). The address is proved by it. Works for users who had no password.
 */
async function recover(tx: Transaction, request: LinkRequest, proof: Proof, hash: string): Promise<User> {
  const { ctx, deps, appId } = request;
  const { userId, email } = proof;
  if (userId === undefined) throw linkDead();
  await spendProof(tx, appId, proof, 'link');
  const user = await lockUser(tx, appId, userId);
  if (!user || user.disabledAt || user.email !== email) throw linkDead();
  // They were set up by whoever wrote the address, before anybody had proved that it is theirs.
  if (!user.emailVerified) await removeAllFactors(tx, appId, userId);
  await setPassword(tx, { appId, userId, hash });
  await markEmailVerified(tx, appId, userId, email);
  await dropEmailChange(tx, appId, userId);
  await removeNewPasskeys(tx, { appId, userId, snapshot: request.snapshot });
  // The browser that recovers keeps its session, under a new id; sign-in renews it.
  const exceptSessionUid = 'interaction' in request ? (request as Step).interaction.sessionUid : undefined;
  await deps.access.endUserAccess(tx, { appId, userId, why: 'password_reset', exceptSessionUid });
  await forgetDevices(tx, appId, userId);
  await clearAllFailures(tx, appId, subjectOf(email));
  await tellOwner(tx, request, { user, template: 'password-changed' });
  const actor = { type: 'user' as const, id: userId };
  await audit(tx, { ...authorOf(ctx), appId, type: 'password.reset', actor, userId, result: 'success' });
  tx.afterCommit(async () => {
    await killWaysIn(deps.ephemeral, appId, email);
  });
  return user;
}
