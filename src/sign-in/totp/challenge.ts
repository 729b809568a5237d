import { Problem } from '../../kernel/problem.ts';
import { scoped } from '../../storage/database.ts';
import { acceptStep, totpOf } from '../../users/totp/store.ts';
import { codeUsed } from '../errors.ts';
import { readCode } from '../mailed-proof/code.ts';
import { goTo } from '../onward.ts';
import { refuseSignIn } from '../refuse.ts';
import { trySecondFactor } from '../second-factor/attempt.ts';
import { finishSecondFactor } from '../second-factor/finish.ts';
import type { PendingStep } from '../second-factor/on-pending.ts';
import type { ShowFactor } from '../second-factor/second-factor.ts';
import { interactionPath } from '../step.ts';
import { openSeed, stepOf } from './one-time-code.ts';

const METHOD = 'totp';
export const challengeView = 'second-factor/totp';

/** A code of the user's authenticator app. Whether it was used before is decided in the transaction that signs in. */
export async function verifyTotp(step: PendingStep, showPage: ShowFactor): Promise<void> {
  const { deps, appId, pending } = step;
  const { userId } = pending;
  const again = (problem: string) => showPage(step, { view: challengeView, problem });
  const code = readCode(step.form.code);
  if (code === undefined) return again('problem.totp');
  const attempt = await trySecondFactor(step, METHOD);
  if (!attempt) return again('problem.factor_locked');
  const totp = await totpOf(scoped(deps.db, appId), appId, userId);
  if (!totp) return goTo(step.ctx, `${interactionPath(step)}/second-factor`);
  const at = stepOf(openSeed(deps.rootKeys, { appId, userId }, totp.seed), code, totp.now);
  if (at === undefined) {
    await refuseSignIn(step, { method: METHOD, reason: 'code_wrong', userId });
    return again('problem.totp');
  }
  try {
    await finishSecondFactor(step, {
      method: METHOD,
      amr: ['otp'],
      attempt,
      async prove(tx) {
        if (!(await acceptStep(tx, { appId, userId, seed: totp.seed, step: at }))) throw codeUsed();
      },
    });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'sign_in.code_used') throw error;
    await refuseSignIn(step, { method: METHOD, reason: 'code_used', userId });
    return again('problem.totp_used');
  }
}
