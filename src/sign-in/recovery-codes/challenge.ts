import { localeOf } from '../../http/page.ts';
import { Problem } from '../../kernel/problem.ts';
import { audit } from '../../events/audit.ts';
import type { Transaction } from '../../storage/database.ts';
import { recoveryCodesOf, spendRecoveryCode } from '../../users/recovery-codes/store.ts';
import { userById } from '../../users/store.ts';
import { askedFrom } from '../asked-from.ts';
import { authorOf } from '../author.ts';
import { codeUsed } from '../errors.ts';
import { refuseSignIn } from '../refuse.ts';
import { trySecondFactor } from '../second-factor/attempt.ts';
import { finishSecondFactor } from '../second-factor/finish.ts';
import type { PendingStep } from '../second-factor/on-pending.ts';
import type { ShowFactor } from '../second-factor/second-factor.ts';
import { tellOfFactors } from '../second-factor/tell.ts';
import { digestOfCode, readRecoveryCode } from './recovery-code.ts';

const METHOD = 'recovery_code';
export const challengeView = 'second-factor/recovery-code';

/** A code of paper instead of the factor that is lost. It works once, and the user is told. */
export async function verifyRecoveryCode(step: PendingStep, showPage: ShowFactor): Promise<void> {
  const again = (problem: string) => showPage(step, { view: challengeView, problem });
  const code = readRecoveryCode(step.form.code);
  if (code === undefined) return again('problem.recovery_code');
  const attempt = await trySecondFactor(step, METHOD);
  if (!attempt) return again('problem.factor_locked');
  try {
    // RFC 8176 has no word for it.
    const amr = ['recovery_code'];
    await finishSecondFactor(step, { method: METHOD, amr, attempt, prove: (tx) => prove(tx, step, code) });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'sign_in.code_used') throw error;
    await refuseSignIn(step, { method: METHOD, reason: 'code_wrong', userId: step.pending.userId });
    return again('problem.recovery_code');
  }
}

async function prove(tx: Transaction, step: PendingStep, code: string): Promise<void> {
  const { ctx, deps, appId, pending, snapshot } = step;
  const { userId } = pending;
  if (!(await spendRecoveryCode(tx, { appId, userId, digest: digestOfCode(code) }))) throw codeUsed();
  const user = await userById(tx, appId, userId);
  if (!user) throw codeUsed();
  const { remaining } = await recoveryCodesOf(tx, appId, userId);
  await audit(tx, {
    ...authorOf(ctx),
    appId,
    type: 'recovery_code.used',
    actor: { type: 'user', id: userId },
    userId,
    clientId: step.interaction.client.clientId,
    result: 'success',
    details: { remaining },
  });
  await tellOfFactors(tx, deps, {
    user,
    news: 'recovery-code-used',
    app: { name: snapshot.app.name, url: (ctx.state.startUrl as string | undefined) ?? null },
    from: askedFrom(ctx),
    locale: localeOf(ctx),
    codesLeft: remaining,
  });
}
