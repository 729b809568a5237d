import { stepUpReasons } from '../../oidc/requested-prompts.ts';
import { scoped } from '../../storage/database.ts';
import { enrolledFactors, hasFactor } from '../../users/factors/enrolled.ts';
import { momentInStore } from '../../users/factors/store.ts';
import { liveSessionByUid } from '../../users/sessions/store.ts';
import { userById } from '../../users/store.ts';
import type { Step } from '../step.ts';
import { keepPending, type Pending } from './pending.ts';

/**
 * Somebody whose session is that of one factor, at a request that wants two and nothing else: the session counts as the
 * first proof, with the time it was given. Asked of the database, never of the cache: it may have ended a moment ago.
 */
export async function stepUp(step: Step): Promise<Pending | undefined> {
  const { deps, appId, interaction, snapshot } = step;
  const { prompt, sessionUid, signedInUserId: userId } = interaction;
  if (userId === undefined || sessionUid === undefined || snapshot.app.settings.second_factor === 'off')
    return undefined;
  if (!prompt.reasons.every((reason) => stepUpReasons.has(reason))) return undefined;
  const q = scoped(deps.db, appId);
  const session = await liveSessionByUid(q, appId, sessionUid);
  const user = await userById(q, appId, userId);
  if (!user || session?.user_id !== userId || !hasFactor(await enrolledFactors(q, appId, userId)))
    return undefined;
  const pending: Pending = {
    due: 'second_factor',
    userId,
    identifier: user.email,
    method: 'session',
    amr: session.payload.amr ?? [],
    provedAt: await momentInStore(q),
    authTimeSeconds: session.payload.loginTs,
    passed: [],
  };
  await keepPending(deps.ephemeral, interaction, pending);
  return pending;
}
