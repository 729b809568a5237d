import type { Context } from 'koa';
import { audit } from '../events/audit.ts';
import { digestOf } from '../kernel/secret.ts';
import { acrOf } from '../oidc/authentication-context.ts';
import type { Interaction } from '../oidc/interaction.ts';
import { spend } from '../storage/spent.ts';
import type { Transaction } from '../storage/database.ts';
import { rememberDevice } from '../users/devices/store.ts';
import { authorOf } from './author.ts';
import type { SignInDeps } from './deps.ts';
import { markDevice } from './device-cookie.ts';
import { alreadyFinished, signInRefused } from './errors.ts';
import type { Evidence } from './evidence.ts';
import { subjectOf } from './lockout/attempt.ts';
import { clearFailures } from './lockout/store.ts';

type Where = { deps: SignInDeps; ctx: Context; interaction: Interaction };

/**
 * The single exit of every method. In one transaction: what was proved is spent, the interaction's result is
 * spent, the user may still sign in, the device is remembered, failures are cleared, the trail is written.
 * Then the browser goes on to the app (303). Throws a Problem and has changed nothing when any of it fails.
 */
export async function completeSignIn({ deps, ctx, interaction }: Where, evidence: Evidence): Promise<void> {
  const { appId } = interaction;
  const device = markDevice(ctx, deps.config, appId);
  const userId = await deps.db.transaction(appId, async (tx) => {
    const user = await evidence.who(tx);
    if (!user || user.disabledAt || user.email !== evidence.identifier) throw signInRefused();
    await spendResult(tx, interaction);
    await rememberDevice(tx, appId, user.userId, device);
    // Only the count this attempt stood in: a success at home gives a guesser elsewhere no new tries.
    await clearFailures(
      tx,
      evidence.attempt ?? { appId, subject: subjectOf(evidence.identifier), origin: device },
    );
    await audit(tx, {
      ...authorOf(ctx),
      appId,
      type: 'sign_in.succeeded',
      actor: { type: 'user', id: user.userId },
      userId: user.userId,
      clientId: interaction.client.clientId,
      result: 'success',
      details: { method: evidence.method },
    });
    return user.userId;
  });
  deps.metrics.signIns.inc({ method: evidence.method, result: 'success' });
  const signedIn = {
    userId,
    amr: evidence.amr,
    acr: acrOf(evidence.amr),
    authTimeSeconds: Math.floor(Date.now() / 1000),
  };
  await deps.interactions.finishLogin(ctx, interaction, signedIn);
}

/** One result for each prompt of an interaction: of two that come at once the later one is refused. */
export async function spendResult(tx: Transaction, interaction: Interaction): Promise<void> {
  const { appId, uid, prompt, expiresInSeconds } = interaction;
  const digest = digestOf(JSON.stringify([appId, uid, prompt.name]));
  // Remembered a little longer than the interaction can live.
  const ttlSeconds = Math.ceil(expiresInSeconds) + 60;
  if (!(await spend(tx, { appId, kind: 'interaction_result', digest, ttlSeconds }))) throw alreadyFinished();
}
