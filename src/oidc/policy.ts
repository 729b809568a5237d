import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { type AppSnapshot, needsConsent } from '../apps/app.ts';
import { askForAccounts, refuseUnmetAcr } from './requested-prompts.ts';
import type { RootKeys } from '../kernel/secret.ts';
import { deviceConfirmation } from './features/device-flow.ts';

/**
 * When a person has to be asked: the library's own rules, minus every consent question for clients that need none.
 * Those see no page even where they send `prompt=consent`, native ones included.
 */
export function interactionRules(snapshot: AppSnapshot, rootKeys: RootKeys): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const consent = policy.get('consent')!;
  const asks = (ctx: KoaContextWithOIDC): boolean => {
    const client = snapshot.clients.get(ctx.oidc.client!.clientId);
    return !client || needsConsent(snapshot.app, client);
  };
  for (const reason of ['consent_prompt', 'native_client_prompt'] as const) {
    const check = consent.checks.get(reason)!;
    const original = check.check;
    check.check = async (ctx) => asks(ctx) && (await original(ctx));
  }
  askForAccounts(policy);
  refuseUnmetAcr(policy);
  // Behind the sign-in, before consent.
  if (snapshot.app.settings.features.device_authorization)
    policy.add(deviceConfirmation(snapshot.app.appId, rootKeys), 1);
  return policy;
}
