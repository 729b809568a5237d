import type Router from '@koa/router';
import { scoped } from '../../storage/database.ts';
import { userById } from '../../users/store.ts';
import { authorOf } from '../author.ts';
import type { SignInDeps } from '../deps.ts';
import { alreadyFinished } from '../errors.ts';
import { goTo } from '../onward.ts';
import { sentence, show } from '../page.ts';
import { finishPending } from '../second-factor/finish.ts';
import { onPending, type PendingStep } from '../second-factor/on-pending.ts';
import { interactionPath } from '../step.ts';
import { settle } from './device-hints.ts';
import { addPasskeyIn, beginEnrolment, judgeEnrolment } from './enrol.ts';
import { enrolmentIn } from './enrol-page.ts';
import { sentenceFor } from './sentences.ts';

const PASSED = 'offer:passkey';

// GET  …/offer/passkey              → what a passkey is, and a button that makes one
// POST …/offer/passkey {credential} → adds it and goes on to the app
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
  const { ctx, deps, appId, pending } = step;
  const { userId } = pending;
  const at = enrolmentIn(step);
  try {
    const judged = await judgeEnrolment(at, step.form.credential);
    const by = { ...authorOf(ctx), actor: { type: 'user' as const, id: userId } };
    // In the transaction that finds the person still there: what was begun before a recovery adds nothing after it.
    await finishPending(step, PASSED, (tx) => addPasskeyIn(tx, at, judged, by));
    settle(ctx, deps.config, { appId, userId, how: 'has_one' });
  } catch (error) {
    await showOffer(step, sentenceFor(error));
  }
}

async function decline(step: PendingStep): Promise<void> {
  const { ctx, deps, appId, pending } = step;
  settle(ctx, deps.config, { appId, userId: pending.userId, how: 'declined' });
  await finishPending(step, PASSED);
}
