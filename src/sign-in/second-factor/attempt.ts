import { deviceOf } from '../device-cookie.ts';
import type { Attempt } from '../lockout/attempt.ts';
import { throttleNetwork } from '../lockout/network.ts';
import { reserveAttempt } from '../lockout/reserve.ts';
import { refuseSignIn } from '../refuse.ts';
import type { PendingStep } from './on-pending.ts';

/** Whose wrong codes are counted together, apart from wrong passwords: who knows one is no nearer to the other. */
export const subjectOfSecond = (userId: string): string => `second factor of ${userId}`;

/**
 * Counts a try before its code is looked at: per user, for strangers and for each known device apart, and per network.
 * undefined when there were too many. Problem `sign_in.too_many` per network.
 */
export async function trySecondFactor(step: PendingStep, method: string): Promise<Attempt | undefined> {
  const { ctx, deps, appId, pending } = step;
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const { userId } = pending;
  const attempt = await reserveAttempt(deps.db, {
    appId,
    identifier: subjectOfSecond(userId),
    userId,
    device: deviceOf(ctx, deps.config, appId),
  });
  if (attempt.letThrough) return attempt;
  await refuseSignIn(step, { method, reason: 'locked', userId });
  return undefined;
}
