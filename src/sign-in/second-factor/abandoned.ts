import { audit } from '../../events/audit.ts';
import type { Queryable } from '../../storage/database.ts';
import { authorOf } from '../author.ts';
import type { Step } from '../step.ts';
import { findPending } from './pending.ts';

/**
 * Somebody turned back after the first proof: for operators, who see a right password in it and no second proof. Whoever
 * just goes away leaves the event that told what was due, and none after it.
 */
export async function recordAbandoned(q: Queryable, step: Step): Promise<void> {
  const { ctx, deps, appId, interaction } = step;
  const pending = interaction.prompt.name === 'login' ? await findPending(deps.ephemeral, step) : undefined;
  if (!pending || pending.due === 'first_factor') return;
  const { userId, method, due } = pending;
  await audit(q, {
    ...authorOf(ctx),
    appId,
    type: 'sign_in.abandoned',
    userId,
    clientId: interaction.client.clientId,
    result: 'failure',
    details: { method, due },
  });
}
