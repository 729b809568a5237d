import { throttleNetwork } from '../lockout/network.ts';
import { refuseSignIn } from '../refuse.ts';
import { finishSecondFactor } from '../second-factor/finish.ts';
import type { PendingStep } from '../second-factor/on-pending.ts';
import type { ShowFactor } from '../second-factor/second-factor.ts';
import { Problem } from '../../kernel/problem.ts';
import { provePasskey, requestOptions } from './prove.ts';

const METHOD = 'passkey';

export function askForPasskey(step: PendingStep, showPage: ShowFactor, problem?: string) {
  const options = JSON.stringify(requestOptions(step, 'second_factor'));
  return showPage(step, { view: 'second-factor/passkey', model: { options }, problem });
}

/** A passkey of the person whose first proof was another one. Nothing is guessed here, so nobody is locked out. */
export async function verifyPasskey(step: PendingStep, showPage: ShowFactor): Promise<void> {
  const { ctx, deps, appId, pending } = step;
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const { userId } = pending;
  const again = async (
    reason: 'passkey_late' | 'passkey_unknown' | 'passkey_invalid' | 'passkey_counter',
  ) => {
    await refuseSignIn(step, { method: METHOD, reason, userId });
    const key = reason === 'passkey_late' ? 'problem.passkey_late' : 'problem.passkey_second';
    await askForPasskey(step, showPage, key);
  };
  const proved = await provePasskey(step, 'second_factor', step.form.credential);
  if ('reason' in proved) return again(proved.reason);
  // Somebody else's is no proof of this person, however good.
  if (proved.user.userId !== userId) return again('passkey_unknown');
  try {
    await finishSecondFactor(step, {
      method: METHOD,
      amr: proved.amr,
      async prove(tx) {
        await proved.spend(tx);
      },
    });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'sign_in.refused') throw error;
    await again('passkey_invalid');
  }
}
