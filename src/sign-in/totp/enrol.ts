import { Problem } from '../../kernel/problem.ts';
import { localeOf } from '../../http/page.ts';
import { scoped, type Transaction } from '../../storage/database.ts';
import { canShowFactor, enrolledFactors } from '../../users/factors/enrolled.ts';
import { momentInStore } from '../../users/factors/store.ts';
import { lockUser } from '../../users/store.ts';
import { totpOf } from '../../users/totp/store.ts';
import { askedFrom } from '../asked-from.ts';
import { authorOf } from '../author.ts';
import { alreadyFinished } from '../errors.ts';
import { readCode } from '../mailed-proof/code.ts';
import { goTo } from '../onward.ts';
import { makeRecoveryCodes } from '../recovery-codes/make.ts';
import { showNewCodes } from '../recovery-codes/shown.ts';
import { finishPending, stillThere } from '../second-factor/finish.ts';
import type { PendingStep } from '../second-factor/on-pending.ts';
import { keepPending } from '../second-factor/pending.ts';
import type { ShowFactor } from '../second-factor/second-factor.ts';
import { tellOfFactors } from '../second-factor/tell.ts';
import { interactionPath } from '../step.ts';
import { enableTotp } from './enable.ts';
import { openSeed, stepOf } from './one-time-code.ts';
import { dropProposal, findProposal, type Proposal, proposalFor } from './proposal.ts';
import { setupModel } from './setup-model.ts';

const view = 'second-factor/enrol-totp';

export async function showEnrolment(
  step: PendingStep,
  showPage: ShowFactor,
  problem?: string,
): Promise<void> {
  const { deps, snapshot, pending } = step;
  const { seed } = await proposalFor(deps, whereOf(step));
  const model = setupModel({ appName: snapshot.app.name, account: pending.identifier, seed });
  return showPage(step, { view, model, problem });
}

/**
 * The first code of a new authenticator: it is the user's from now on, and this sign-in has shown two proofs. Only for
 * somebody who has none: whoever got this far with a password alone may not take the place of one that exists.
 */
export async function enrolTotp(step: PendingStep, showPage: ShowFactor): Promise<void> {
  const { ctx, deps, appId, pending } = step;
  const proposal = await findProposal(deps, whereOf(step));
  if (!proposal) return goTo(ctx, interactionPath(step));
  const code = readCode(step.form.code);
  const now = await momentInStore(scoped(deps.db, appId));
  const at = code === undefined ? undefined : stepOf(proposal.seed, code, now);
  if (at === undefined) return showEnrolment(step, showPage, 'problem.totp_setup');
  const codes = await deps.db
    .transaction(appId, (tx) => enrol(tx, step, { proposal, step: at }))
    .catch((error: unknown) => {
      if (error instanceof Problem && error.code === alreadyFinished().code) return undefined;
      throw error;
    });
  // A factor was set up meanwhile, in another window: that one is asked for.
  if (codes === 'has_another') return finishPending(step);
  if (codes === undefined) return goTo(ctx, interactionPath(step));
  const amr = [...new Set([...pending.amr, 'otp', 'mfa'])];
  const next = { ...pending, amr, second: 'totp', due: 'recovery_codes' as const, laterUntil: undefined };
  await keepPending(deps.ephemeral, step.interaction, next);
  await dropProposal(deps, whereOf(step));
  showNewCodes({ ...step, pending: next }, codes);
}

async function enrol(
  tx: Transaction,
  step: PendingStep,
  proved: { proposal: Proposal; step: number },
): Promise<string[] | 'has_another'> {
  const { ctx, deps, appId, pending, snapshot } = step;
  const { userId } = pending;
  await lockUser(tx, appId, userId);
  const user = await stillThere(tx, appId, pending);
  const by = { ...authorOf(ctx), actor: { type: 'user' as const, id: userId } };
  if (canShowFactor(await enrolledFactors(tx, appId, userId)))
    return (await isTheirs(tx, step, proved.proposal)) ? [] : 'has_another';
  await enableTotp(tx, deps, { appId, userId, ...proved, by });
  await tellOfFactors(tx, deps, {
    user,
    news: 'totp-enabled',
    app: { name: snapshot.app.name, url: (ctx.state.startUrl as string | undefined) ?? null },
    from: askedFrom(ctx),
    locale: localeOf(ctx),
  });
  return makeRecoveryCodes(tx, { appId, userId, by });
}

/**
 * The same form came twice, and the first one set this very authenticator up: both go on alike, whichever is first to
 * say so, and the codes were in the answer to the first.
 */
async function isTheirs(tx: Transaction, step: PendingStep, { seed }: Proposal): Promise<boolean> {
  const { deps, appId, pending } = step;
  const at = { appId, userId: pending.userId };
  const theirs = await totpOf(tx, appId, pending.userId);
  return theirs !== undefined && openSeed(deps.rootKeys, at, theirs.seed) === seed;
}

const whereOf = ({ appId, uid, pending }: PendingStep) => ({ appId, userId: pending.userId, where: uid });
