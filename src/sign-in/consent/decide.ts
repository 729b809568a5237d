import { audit } from '../../events/audit.ts';
import { claimsByScope } from '../../oidc/account.ts';
import { claimsAskedFor } from '../../oidc/features/claims-parameter.ts';
import type { Interaction } from '../../oidc/interaction.ts';
import { authorOf } from '../author.ts';
import { spendResult } from '../result.ts';
import { alreadyFinished } from '../errors.ts';
import type { Step } from '../step.ts';

/** Records what the person decided, once, and leads back to the app. */
export async function decideConsent(step: Step, decision: 'allow' | 'deny'): Promise<void> {
  const { ctx, deps, appId, interaction } = step;
  const { signedInUserId: userId } = interaction;
  if (userId === undefined) throw alreadyFinished();
  await deps.db.transaction(appId, async (tx) => {
    await spendResult(tx, interaction);
    await audit(tx, {
      ...authorOf(ctx),
      appId,
      type: decision === 'allow' ? 'consent.given' : 'consent.denied',
      actor: { type: 'user', id: userId },
      userId,
      clientId: interaction.client.clientId,
      result: 'success',
      details: { scopes: scopesAskedFor(interaction), claims: claimsAskedFor(interaction.params) },
    });
  });
  if (decision === 'allow') await deps.interactions.finishConsent(ctx, interaction);
  else await deps.interactions.abort(ctx, interaction);
}

/** Where single claims are asked for, in the words of the scopes they belong to. */
export function scopesInWords(interaction: Interaction): string[] {
  const claims = claimsAskedFor(interaction.params);
  const behind = Object.entries(claimsByScope)
    .filter(([scope, names]) => scope !== 'openid' && names.some((name) => claims.includes(name)))
    .map(([scope]) => scope);
  return [...new Set([...scopesAskedFor(interaction), ...behind])];
}

export function scopesAskedFor(interaction: Interaction): string[] {
  const { scope } = interaction.params;
  return typeof scope === 'string' ? [...new Set(scope.split(' ').filter(Boolean))] : [];
}
