import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { type AppSnapshot, isSelfAsserted, needsConsent } from '../apps/app.ts';
import { askForAccounts, askForSecondFactor, refuseUnmetAcr } from './requested-prompts.ts';
import type { RootKeys } from '../kernel/secret.ts';
import { type Database, lookingUp } from '../storage/database.ts';
import { enrolledFactors, hasFactor } from '../users/factors/enrolled.ts';
import { deviceConfirmation } from './features/device-flow.ts';

const { Check } = interactionPolicy;

/** RFC 6749 §10.2, OWASP ASVS 10.7.1: what was allowed to a client that anyone can pass for is not allowed to the next one to do so. */
const askAgain = ({ app, clients }: AppSnapshot): InstanceType<typeof Check> =>
  new Check('client_unassured', 'nobody has checked who the client is', 'consent_required', (ctx) => {
    const { client, result } = (ctx as KoaContextWithOIDC).oidc;
    const known = clients.get(client!.clientId);
    return known !== undefined && needsConsent(app, known) && isSelfAsserted(known) && !result?.consent;
  });

/**
 * When a person has to be asked: the library's own rules, minus every consent question for clients that need none.
 * Those see no page even where they send `prompt=consent`, native ones included.
 */
export function interactionRules(
  snapshot: AppSnapshot,
  { db, rootKeys }: { db: Database; rootKeys: RootKeys },
): interactionPolicy.DefaultPolicy {
  const { appId, settings } = snapshot.app;
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
  consent.checks.add(askAgain(snapshot));
  // A session that the cache still knows, of somebody who may not sign in any more, is none.
  const noSession = policy.get('login')!.checks.get('no_session')!;
  const { check: isNobody } = noSession;
  noSession.check = async (ctx) => ctx.oidc.account === undefined || (await isNobody(ctx));
  askForAccounts(policy);
  refuseUnmetAcr(policy, settings);
  if (settings.second_factor !== 'off')
    askForSecondFactor(policy, async (userId) =>
      hasFactor(await enrolledFactors(lookingUp(db, appId), appId, userId)),
    );
  // Behind the sign-in, before consent.
  if (settings.features.device_authorization) policy.add(deviceConfirmation(appId, rootKeys), 1);
  return policy;
}
