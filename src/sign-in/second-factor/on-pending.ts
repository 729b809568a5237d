import type { Context } from 'koa';
import type { SignInDeps } from '../deps.ts';
import { goTo } from '../onward.ts';
import { interactionPath, onStep, type Step } from '../step.ts';
import { type DueStep, findPending, type Pending } from './pending.ts';

/** A step in the browser whose first proof was spent, and where this step is the one that is due. */
export type PendingStep = Step & { pending: Pending };

/** Beside `onStep`, for what comes after the first proof. A request out of order is led to the step that is due. */
export function onPending(
  deps: SignInDeps,
  due: DueStep,
  handler: (step: PendingStep) => Promise<void> | void,
): (ctx: Context) => Promise<void> {
  return onStep(deps, 'login', async (step) => {
    const pending = await findPending(deps.ephemeral, step);
    if (pending?.due === due) await handler({ ...step, pending });
    else goTo(step.ctx, interactionPath(step));
  });
}
