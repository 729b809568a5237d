import type { Context } from 'koa';
import { audit } from '../events/audit.ts';
import { digestOf } from '../kernel/secret.ts';
import { acrOf } from '../oidc/authentication-context.ts';
import type { Interaction } from '../oidc/interaction.ts';
import { spend } from '../storage/spent.ts';
import type { Queryable, Transaction } from '../storage/database.ts';
import { rememberDevice } from '../users/devices/store.ts';
import type { FactorName } from '../users/factors/enrolled.ts';
import { momentInStore } from '../users/factors/store.ts';
import type { User } from '../users/user.ts';
import { authorOf } from './author.ts';
import type { SignInDeps } from './deps.ts';
import { markDevice } from './device-cookie.ts';
import { alreadyFinished, signInRefused } from './errors.ts';
import type { Evidence } from './evidence.ts';
import { subjectOf } from './lockout/attempt.ts';
import { clearFailures } from './lockout/store.ts';
import { rememberMethod } from './last-method.ts';
import { tellOfDevice } from './new-device.ts';
import { goTo } from './onward.ts';
import { type Due, dueAfter, factorsAsked } from './second-factor/due.ts';
import { dropPending, keepPending, pageOf, type Pending } from './second-factor/pending.ts';
import { interactionPath } from './step.ts';

type Where = { deps: SignInDeps; ctx: Context; interaction: Interaction };

/**
 * The single exit of every method. In one transaction: what was proved is spent, the user may still sign in, failures
 * are cleared; then either something is still due and the browser goes to its page (303), with a pending sign-in and
 * nothing else; or the interaction's result is spent, the device is remembered, the trail is written and the browser
 * goes on to the app. Throws a Problem and has changed nothing when any of it fails.
 */
export async function completeSignIn(where: Where, evidence: Evidence): Promise<void> {
  const { deps, ctx, interaction } = where;
  const { appId } = interaction;
  const device = markDevice(ctx, deps.config, appId);
  const { userId, pending } = await deps.db.transaction(appId, async (tx) => {
    const { user, enrolled } = await prove(tx, where, { evidence, device });
    const due = await dueAfter(tx, where, { user, evidence, enrolled });
    if (due) return { userId: user.userId, pending: await begun(tx, where, { user, evidence, due }) };
    const [, met] = await Promise.all([
      spendResult(tx, interaction),
      rememberDevice(tx, appId, user.userId, device),
    ]);
    const isNewDevice = await tellOfDevice(tx, where, { user, met });
    const type = 'sign_in.succeeded';
    // Nothing is asked after it.
    const last = { query: tx.conclude };
    await writeTrail(last, where, { userId: user.userId, evidence, type, isNewDevice });
    return { userId: user.userId, pending: undefined };
  });
  if (pending) {
    await keepPending(deps.ephemeral, interaction, pending);
    return goTo(ctx, interactionPath(interaction) + pageOf(pending));
  }
  rememberMethod(ctx, deps.config, { appId, method: evidence.method });
  deps.metrics.signIns.inc({ method: evidence.method, result: 'success' });
  const signedIn = {
    userId,
    amr: evidence.amr,
    acr: acrOf(evidence.amr),
    authTimeSeconds: evidence.authTimeSeconds ?? Math.floor(Date.now() / 1000),
  };
  await deps.interactions.finishLogin(ctx, interaction, signedIn);
  if (evidence.second !== undefined || evidence.passed?.length)
    await dropPending(deps.ephemeral, interaction);
}

type Proved = { user: User; enrolled: readonly FactorName[] };

/** Who it is, if they may sign in, with their failures cleared. What does not wait for one another is one round trip. */
async function prove(
  tx: Transaction,
  { interaction }: Where,
  { evidence, device }: { evidence: Evidence; device: string },
): Promise<Proved> {
  const { appId } = interaction;
  const { amr, identifier, attempt } = evidence;
  const who = async (): Promise<User> => {
    const user = await evidence.who(tx);
    if (!user || user.disabledAt || user.email !== identifier) throw signInRefused();
    return user;
  };
  const askAbout = async (userId: string): Promise<readonly FactorName[]> => {
    const [enrolled] = await Promise.all([
      factorsAsked(tx, interaction, { userId, amr }),
      // Only the count this attempt stood in: a success at home gives a guesser elsewhere no new tries.
      clearFailures(tx, attempt ?? { appId, subject: subjectOf(identifier), origin: device }),
    ]);
    return enrolled;
  };
  if (evidence.userId !== undefined) {
    const [user, enrolled] = await Promise.all([who(), askAbout(evidence.userId)]);
    return { user, enrolled };
  }
  const user = await who();
  return { user, enrolled: await askAbout(user.userId) };
}

/** One result for each prompt of an interaction: of two that come at once the later one is refused. */
export async function spendResult(tx: Transaction, interaction: Interaction): Promise<void> {
  const { appId, uid, prompt, expiresInSeconds } = interaction;
  const digest = digestOf(JSON.stringify([appId, uid, prompt.name]));
  // Remembered a little longer than the interaction can live.
  const ttlSeconds = Math.ceil(expiresInSeconds) + 60;
  if (!(await spend(tx, { appId, kind: 'interaction_result', digest, ttlSeconds }))) throw alreadyFinished();
}

type Begun = { user: User; evidence: Evidence; due: Due };

async function begun(tx: Transaction, where: Where, { user, evidence, due }: Begun): Promise<Pending> {
  const { userId } = user;
  const type = due.due === 'second_factor' ? 'sign_in.second_factor_due' : 'sign_in.step_due';
  await writeTrail(tx, where, { userId, evidence, type });
  return {
    ...due,
    userId,
    identifier: evidence.identifier,
    method: evidence.method,
    second: evidence.second,
    amr: evidence.amr,
    provedAt: await momentInStore(tx),
    authTimeSeconds: evidence.authTimeSeconds,
    passed: [...(evidence.passed ?? [])],
  };
}

type Recorded = { userId: string; evidence: Evidence; type: string; isNewDevice?: boolean };

async function writeTrail(
  q: Queryable,
  { ctx, interaction }: Where,
  { userId, evidence, type, isNewDevice }: Recorded,
): Promise<void> {
  const { method, second } = evidence;
  await audit(q, {
    ...authorOf(ctx),
    appId: interaction.appId,
    type,
    actor: { type: 'user', id: userId },
    userId,
    clientId: interaction.client.clientId,
    result: 'success',
    details: {
      method,
      ...(second === undefined ? {} : { second }),
      ...(isNewDevice ? { new_device: true } : {}),
    },
  });
}
