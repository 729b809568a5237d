import type { Context } from 'koa';
import { audit } from '../events/audit.ts';
import type { Interaction } from '../oidc/interaction.ts';
import { scoped } from '../storage/database.ts';
import { authorOf } from './author.ts';
import type { SignInDeps } from './deps.ts';

/** Told to operators; people get one sentence for all of them. */
export type RefusalReason =
  | 'locked'
  | 'credentials'
  | 'too_long'
  | 'code_wrong'
  | 'code_dead'
  | 'code_used'
  | 'reported'
  | 'passkey_unknown'
  | 'passkey_invalid'
  | 'passkey_counter'
  | 'passkey_late';

export type Refusal = { method: string; reason: RefusalReason; userId?: string | undefined };

/**
 * The other exit of every method: writes the trail. The failure itself was counted before the secret was looked
 * at (lockout/reserve.ts), so a request that is cut off here has still been counted. The caller shows the page.
 */
export async function refuseSignIn(
  {
    deps,
    ctx,
    interaction,
  }: { deps: SignInDeps; ctx: Context; interaction: Pick<Interaction, 'appId' | 'client'> },
  refusal: Refusal,
): Promise<void> {
  deps.metrics.signIns.inc({ method: refusal.method, result: refusal.reason });
  await audit(scoped(deps.db, interaction.appId), {
    ...authorOf(ctx),
    appId: interaction.appId,
    type: 'sign_in.failed',
    userId: refusal.userId,
    clientId: interaction.client.clientId,
    result: 'failure',
    details: { method: refusal.method, reason: refusal.reason },
  });
}
