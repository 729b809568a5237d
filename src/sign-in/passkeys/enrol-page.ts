import { scoped, type Transaction } from '../../storage/database.ts';
import { canShowFactor, enrolledFactors } from '../../users/factors/enrolled.ts';
import { passkeyByCredential } from '../../users/passkeys/store.ts';
import { lockUser, userById } from '../../users/store.ts';
import { authorOf } from '../author.ts';
import { alreadyFinished, nothingHere } from '../errors.ts';
import { makeRecoveryCodes } from '../recovery-codes/make.ts';
import { showNewCodes } from '../recovery-codes/shown.ts';
import { finishPending, stillThere } from '../second-factor/finish.ts';
import type { PendingStep } from '../second-factor/on-pending.ts';
import { keepPending } from '../second-factor/pending.ts';
import type { ShowFactor } from '../second-factor/second-factor.ts';
import { isChallengeSpent } from './challenge.ts';
import { settle } from './device-hints.ts';
import { addPasskeyIn, beginEnrolment, type Enrolment, type Judged, judgeEnrolment } from './enrol.ts';
import { challengeOver } from './errors.ts';
import { amrOf } from './prove.ts';
import { sentenceFor } from './sentences.ts';

export async function showFactorEnrolment(
  step: PendingStep,
  showPage: ShowFactor,
  problem?: string,
): Promise<void> {
  const { deps, appId, pending, snapshot } = step;
  if (!snapshot.app.settings.methods.passkey) throw nothingHere();
  const user = await userById(scoped(deps.db, appId), appId, pending.userId);
  if (!user) throw alreadyFinished();
  const options = JSON.stringify(await beginEnrolment(enrolmentIn(step), user));
  await showPage(step, { view: 'second-factor/enrol-passkey', model: { options }, problem });
}

/** The first second factor of somebody who has none: from now on there are two proofs, and codes for the day it is lost. */
export async function enrolAsFactor(step: PendingStep, showPage: ShowFactor): Promise<void> {
  const { ctx, deps, appId, pending, snapshot } = step;
  if (!snapshot.app.settings.methods.passkey) throw nothingHere();
  try {
    const judged = await judgeEnrolment(enrolmentIn(step), step.form.credential);
    const codes = await deps.db.transaction(appId, (tx) => add(tx, step, judged));
    settle(ctx, deps.config, { appId, userId: pending.userId, how: 'has_one' });
    // A factor was set up meanwhile, in another window: that one is asked for.
    if (codes === undefined) return await finishPending(step);
    const amr = [...new Set([...pending.amr, ...amrOf(judged.made)])];
    const next = {
      ...pending,
      amr,
      second: 'passkey',
      due: 'recovery_codes' as const,
      laterUntil: undefined,
    };
    await keepPending(deps.ephemeral, step.interaction, next);
    showNewCodes({ ...step, pending: next }, codes);
  } catch (error) {
    await showFactorEnrolment(step, showPage, sentenceFor(error));
  }
}

async function add(tx: Transaction, step: PendingStep, judged: Judged): Promise<string[] | undefined> {
  const { ctx, appId, pending } = step;
  const { userId } = pending;
  await lockUser(tx, appId, userId);
  await stillThere(tx, appId, pending);
  // Whoever got this far with one proof alone may not put a second one beside a factor that exists.
  if (canShowFactor(await enrolledFactors(tx, appId, userId))) return madeBefore(tx, step, judged);
  const by = { ...authorOf(ctx), actor: { type: 'user' as const, id: userId } };
  await addPasskeyIn(tx, enrolmentIn(step), judged, by);
  return makeRecoveryCodes(tx, { appId, userId, by });
}

/**
 * The same form came twice: both go on alike, and the codes were in the answer to the first. Only by the challenge that
 * made it, which was this sign-in's: a credential alone can be named by somebody who does not hold it. undefined: there
 * is another factor.
 */
async function madeBefore(tx: Transaction, step: PendingStep, judged: Judged): Promise<[] | undefined> {
  const { appId, pending } = step;
  const { credentialId, publicKey } = judged.made;
  if (!(await isChallengeSpent(tx, appId, judged.challenge))) return undefined;
  const known = await passkeyByCredential(tx, appId, credentialId);
  if (known?.userId !== pending.userId || !Buffer.from(publicKey).equals(known.publicKey))
    throw challengeOver();
  return [];
}

export const enrolmentIn = ({ ctx, deps, snapshot, pending, uid }: PendingStep): Enrolment => ({
  ctx,
  deps: { ...deps, baseUrl: deps.config.baseUrl },
  snapshot,
  userId: pending.userId,
  subject: uid,
});
