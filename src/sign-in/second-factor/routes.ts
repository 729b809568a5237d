import type Router from '@koa/router';
import { lookingUp, scoped } from '../../storage/database.ts';
import { enrolledFactors } from '../../users/factors/enrolled.ts';
import type { SignInDeps } from '../deps.ts';
import { alreadyFinished } from '../errors.ts';
import { goTo } from '../onward.ts';
import { interactionPath, onStep, type Step } from '../step.ts';
import { secondFactors } from './factors.ts';
import { finishPending } from './finish.ts';
import { recordAbandoned } from './abandoned.ts';
import { onPending, type PendingStep } from './on-pending.ts';
import { factorPages } from './pages.ts';
import { findPending, keepPending, pageOf, type Pending } from './pending.ts';
import { stepUp } from './step-up.ts';

// GET  …/second-factor  → the page of a factor that the person has
// GET  …/enrol          → the page of one that can be set up
// POST …/enrol/later    → goes on without, while the days of grace last
// POST …/start-over     → the sign-in page, as somebody else perhaps
// and what the factors add
export function mountSecondFactors(router: Router, deps: SignInDeps): void {
  const at = '/auth/:app_id/interaction/:uid';
  router.get(`${at}/second-factor`, onPending(deps, 'second_factor', toFirstOfTheirs));
  router.get(`${at}/enrol`, onPending(deps, 'enrol', toFirstOffered));
  router.post(`${at}/enrol/later`, onPending(deps, 'enrol', putOff));
  router.post(`${at}/start-over`, onStep(deps, 'login', startOver));
  for (const factor of secondFactors) factor.mount(router, deps, factorPages);
}

/** The page of what is due after the first proof, if something is; undefined: the sign-in page. */
export async function dueAfterFirstProof(
  step: Step,
  kept: Promise<Pending | undefined>,
): Promise<string | undefined> {
  const pending = (await kept) ?? (await stepUp(step));
  if (!pending || pending.due === 'first_factor') return undefined;
  return interactionPath(step) + pageOf(pending);
}

async function toFirstOfTheirs(step: PendingStep): Promise<void> {
  const { deps, appId, pending } = step;
  const theirs = await enrolledFactors(lookingUp(deps.db, appId), appId, pending.userId);
  const first = secondFactors.find(({ name }) => theirs.includes(name));
  // It was taken away meanwhile, by an operator or in another browser: what is due is another question now.
  if (!first) return finishPending(step);
  goTo(step.ctx, `${interactionPath(step)}/second-factor/${first.path}`);
}

function toFirstOffered(step: PendingStep): void {
  const first = secondFactors.find(({ canEnrol }) => canEnrol(step.snapshot.app.settings));
  if (!first) throw alreadyFinished();
  goTo(step.ctx, `${interactionPath(step)}/enrol/${first.path}`);
}

/** The page offers it only while it may be put off, and a pending sign-in does not outlive that by more than minutes. */
async function putOff(step: PendingStep): Promise<void> {
  if (step.pending.laterUntil === undefined) return goTo(step.ctx, interactionPath(step));
  await finishPending(step, 'enrol');
}

async function startOver(step: Step): Promise<void> {
  const { ctx, deps, appId } = step;
  const pending = await findPending(deps.ephemeral, step);
  await recordAbandoned(scoped(deps.db, appId), step);
  if (pending) await keepPending(deps.ephemeral, step.interaction, { ...pending, due: 'first_factor' });
  goTo(ctx, interactionPath(step));
}
