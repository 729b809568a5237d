import { audit } from '../../../../events/audit.ts';
import { Problem } from '../../../../kernel/problem.ts';
import type { Transaction } from '../../../../storage/database.ts';
import { setPassword } from '../../../../users/passwords/store.ts';
import { insertUser } from '../../../../users/store.ts';
import type { User } from '../../../../users/user.ts';
import { authorOf } from '../../../author.ts';
import { completeSignIn } from '../../../complete.ts';
import { linkDead } from '../../../errors.ts';
import { throttleNetwork } from '../../../lockout/network.ts';
import type { Opened } from '../../../mailed-proof/open.ts';
import { CODE_TRIES, type Proof } from '../../../mailed-proof/proof.ts';
import { countTry, killProof } from '../../../mailed-proof/store.ts';
import { spendProof } from '../../../mailed-proof/try-code.ts';
import type { LinkRequest, Step } from '../../../step.ts';

/** Makes the account and signs in, once. Problem `sign_in.link_dead` when it was used or the address is taken by now. */
export async function signUpAndSignIn(step: Step, proof: Proof, way: 'link' | 'code'): Promise<void> {
  await completeSignIn(step, {
    method: way === 'link' ? 'sign_up' : 'sign_up_code',
    // The password was typed in this interaction, the address has just been proved.
    amr: ['pwd'],
    identifier: proof.email,
    who: (tx) => makeAccount(tx, step, proof, way),
  });
  await killProof(step.deps.ephemeral, { appId: step.appId, digest: proof.digest, kind: proof.kind });
}

/**
 * Makes the account without signing in, for whoever knows the password that was chosen: the person who merely
 * reads the mail may be another one than who signed up. False when it is wrong; five wrong ones kill the link.
 */
export async function finishLate(request: LinkRequest, opened: Opened, password: string): Promise<boolean> {
  const { ctx, deps, appId } = request;
  const { proof, remainingSeconds } = opened;
  const at = { appId, digest: proof.digest, kind: proof.kind };
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const isRight = await deps.hasher.inTurn(async ({ verify }) => {
    if ((await countTry(deps.ephemeral, at, remainingSeconds)) > CODE_TRIES) throw linkDead();
    return verify(proof.passwordHash, password.slice(0, 1024));
  });
  if (!isRight) return false;
  await deps.db.transaction(appId, (tx) => makeAccount(tx, request, proof, 'link'));
  await killProof(deps.ephemeral, at);
  return true;
}

async function makeAccount(
  tx: Transaction,
  request: LinkRequest,
  proof: Proof,
  way: 'link' | 'code',
): Promise<User> {
  const { ctx, appId } = request;
  const { email, passwordHash, locale } = proof;
  if (passwordHash === undefined || proof.userId !== undefined) throw linkDead();
  await spendProof(tx, appId, proof, way);
  const user = await insertUser(tx, { appId, email, emailVerified: true, locale }).catch((error: unknown) => {
    throw error instanceof Problem && error.code === 'users.email_taken' ? linkDead() : error;
  });
  await setPassword(tx, { appId, userId: user.userId, hash: passwordHash });
  const actor = { type: 'user' as const, id: user.userId };
  await audit(tx, {
    ...authorOf(ctx),
    appId,
    type: 'user.signed_up',
    actor,
    userId: user.userId,
    result: 'success',
  });
  return user;
}
