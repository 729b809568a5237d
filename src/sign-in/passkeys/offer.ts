import type Router from '@koa/router';
import { scoped } from '../../storage/database.ts';
import type { Author } from '../../events/author.ts';
import { canShowFactor, enrolledFactors } from '../../users/factors/enrolled.ts';
import { lockUser, userById } from '../../users/store.ts';
import { authorOf } from '../author.ts';
import type { SignInDeps } from '../deps.ts';
import { alreadyFinished } from '../errors.ts';
import { goTo } from '../onward.ts';
import { sentence, show } from '../page.ts';
import { makeMissingCodes } from '../recovery-codes/make.ts';
import { showNewCodes } from '../recovery-codes/shown.ts';
import { finishPending, stillThere } from '../second-factor/finish.ts';
import { onPending, type PendingStep } from '../second-factor/on-pending.ts';
import { keepPending, type Pending } from '../second-factor/pending.ts';
import { interactionPath } from '../step.ts';
import { settle } from './device-hints.ts';
import { addPasskeyIn, beginEnrolment, type Judged, judgeEnrolment } from './enrol.ts';
import { enrolmentIn } from './enrol-page.ts';
import { amrOf } from './prove.ts';
import { sentenceFor } from './sentences.ts';

const PASSED = 'offer:passkey';

// GET  …/offer/passkey              → what a passkey is, and a button that makes one
// POST …/offer/passkey {credential} → adds it and goes on to the app, by way of recovery codes where they are missing
// POST …/offer/passkey/skip         → goes on; asked again in a month
export function mountPasskeyOffer(router: Router, deps: SignInDeps): void {
  const at = '/auth/:app_id/interaction/:uid/offer/passkey';
  router.get(
    at,
    onOffer(deps, (step) => showOffer(step)),
  );
  router.post(at, onOffer(deps, accept));
  router.post(`${at}/skip`, onOffer(deps, decline));
}

/** Another offer may be the one that is due. */
const onOffer = (deps: SignInDeps, handler: (step: PendingStep) => Promise<void>) =>
  onPending(deps, 'offer', async (step) =>
    step.pending.offer === 'passkey' ? handler(step) : goTo(step.ctx, interactionPath(step)),
  );

async function showOffer(step: PendingStep, problem?: string): Promise<void> {
  const { ctx, deps, appId, pending, snapshot } = step;
  const user = await userById(scoped(deps.db, appId), appId, pending.userId);
  if (!user) throw alreadyFinished();
  const at = `${interactionPath(step)}/offer/passkey`;
  const model = {
    action: at,
    options: JSON.stringify(await beginEnrolment(enrolmentIn(step), user)),
    skip_action: `${at}/skip`,
    problem: problem === undefined ? null : sentence(ctx, problem, { app: snapshot.app.name }),
    notice: null,
  };
  show(step, 'sign-in/offer-passkey', model, problem === undefined ? 200 : 400);
}

async function accept(step: PendingStep): Promise<void> {
  const { ctx, deps, appId, pending, snapshot } = step;
  const { userId } = pending;
  const at = enrolmentIn(step);
  try {
    const judged = await judgeEnrolment(at, step.form.credential);
    const by = { ...authorOf(ctx), actor: { type: 'user' as const, id: userId } };
    const { second_factor: policy } = snapshot.app.settings;
    if (policy === 'required' && (await lacksCodes(step))) return await acceptWithCodes(step, judged, by);
    // In the transaction that finds the person still there: what was begun before a recovery adds nothing after it.
    await finishPending(step, PASSED, (tx) => addPasskeyIn(tx, at, judged, by));
    settle(ctx, deps.config, { appId, userId, how: 'has_one' });
  } catch (error) {
    await showOffer(step, sentenceFor(error));
  }
}

async function lacksCodes({ deps, appId, pending }: PendingStep): Promise<boolean> {
  return !(await enrolledFactors(scoped(deps.db, appId), appId, pending.userId)).includes('recovery_code');
}

/**
 * Where two proofs are required, this one is the second from now on: with codes for the day it is lost, and shown by
 * having been made if it is the first of its owner.
 */
async function acceptWithCodes(step: PendingStep, judged: Judged, by: Author): Promise<void> {
  const { ctx, deps, appId, pending } = step;
  const { userId } = pending;
  const { codes, isFirst } = await deps.db.transaction(appId, async (tx) => {
    await lockUser(tx, appId, userId);
    await stillThere(tx, appId, pending);
    const before = await enrolledFactors(tx, appId, userId);
    await addPasskeyIn(tx, enrolmentIn(step), judged, by);
    const made = await makeMissingCodes(tx, { appId, userId, by, policy: 'required' });
    return { codes: made, isFirst: !canShowFactor(before) };
  });
  settle(ctx, deps.config, { appId, userId, how: 'has_one' });
  const amr = isFirst ? [...new Set([...pending.amr, ...amrOf(judged.made)])] : pending.amr;
  const next: Pending = {
    ...pending,
    amr,
    second: isFirst ? 'passkey' : pending.second,
    passed: [...pending.passed, PASSED],
    due: 'recovery_codes',
  };
  // Somebody had them made in another window.
  if (codes.length === 0) return finishPending({ ...step, pending: next });
  await keepPending(deps.ephemeral, step.interaction, next);
  showNewCodes({ ...step, pending: next }, codes);
}

async function decline(step: PendingStep): Promise<void> {
  const { ctx, deps, appId, pending } = step;
  settle(ctx, deps.config, { appId, userId: pending.userId, how: 'declined' });
  await finishPending(step, PASSED);
}
