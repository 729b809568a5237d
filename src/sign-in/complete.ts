import type { Context } from 'koa';
import { audit } from '../events/audit.ts';
import type { AuditEvent } from '../events/event.ts';
import { acrOf } from '../oidc/authentication-context.ts';
import type { Interaction, SignedIn } from '../oidc/interaction.ts';
import type { Transaction } from '../storage/database.ts';
import type { FactorName } from '../users/factors/enrolled.ts';
import { momentInStore } from '../users/factors/store.ts';
import type { User } from '../users/user.ts';
import { authorOf } from './author.ts';
import type { SignInDeps } from './deps.ts';
import { markDevice } from './device-cookie.ts';
import { signInRefused } from './errors.ts';
import type { Evidence } from './evidence.ts';
import { subjectOf } from './lockout/attempt.ts';
import { clearFailures, type FailureKey } from './lockout/store.ts';
import { rememberMethod } from './last-method.ts';
import { tellOfDevice } from './new-device.ts';
import { goTo } from './onward.ts';
import { type Due, dueAfter, factorsAsked } from './second-factor/due.ts';
import { dropPending, keepPending, pageOf, type Pending } from './second-factor/pending.ts';
import { spendSignIn } from './result.ts';
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
  const ending = await deps.interactions.ending(ctx, interaction);
  const outcome = await deps.db.transaction(appId, async (tx): Promise<Outcome> => {
    const { user, enrolled } = await prove(tx, where, evidence);
    const due = await dueAfter(tx, where, { user, evidence, enrolled });
    const failures = failuresOf(interaction, evidence, device);
    if (due) return { pending: await begun(tx, where, { user, evidence, due, failures }) };
    const signedIn = signedInAs(user, evidence);
    // Nothing is asked after it, and nothing is lost with it if another request of this interaction was faster.
    const isLast = evidence.userId !== undefined && evidence.attempt?.origin === device;
    const { isBegun, ...met } = await spendSignIn(isLast ? { query: tx.conclude } : tx, interaction, {
      userId: user.userId,
      device,
      failures,
      event: eventOf(where, { userId: user.userId, evidence, type: 'sign_in.succeeded' }),
      writes: ending.writes?.(signedIn),
    });
    // A browser that was forgotten since the attempt was counted is told of when it is.
    if (isLast)
      tx.afterCommit(() => deps.db.transaction(appId, (after) => tellOfDevice(after, where, { user, met })));
    else await tellOfDevice(tx, where, { user, met });
    return { signedIn, isBegun };
  });
  if ('pending' in outcome) {
    await keepPending(deps.ephemeral, interaction, outcome.pending);
    return goTo(ctx, interactionPath(interaction) + pageOf(outcome.pending));
  }
  rememberMethod(ctx, deps.config, { appId, method: evidence.method });
  deps.metrics.signIns.inc({ method: evidence.method, result: 'success' });
  await ending.answer(outcome.signedIn, outcome.isBegun);
  if (evidence.second !== undefined || evidence.passed?.length)
    await dropPending(deps.ephemeral, interaction);
}

type Outcome = { pending: Pending } | { signedIn: SignedIn; isBegun: boolean };

const signedInAs = ({ userId }: User, { amr, authTimeSeconds }: Evidence): SignedIn => ({
  userId,
  amr,
  acr: acrOf(amr),
  authTimeSeconds: authTimeSeconds ?? Math.floor(Date.now() / 1000),
});

type Proved = { user: User; enrolled: readonly FactorName[] };

/** Who it is, if they may sign in, and what they have beside. What does not wait for one another is one round trip. */
async function prove(tx: Transaction, { interaction }: Where, evidence: Evidence): Promise<Proved> {
  const { amr, identifier } = evidence;
  const who = async (): Promise<User> => {
    const user = await evidence.who(tx);
    if (!user || user.disabledAt || user.email !== identifier) throw signInRefused();
    return user;
  };
  const askAbout = (userId: string): Promise<readonly FactorName[]> =>
    factorsAsked(tx, interaction, { userId, amr });
  if (evidence.userId !== undefined) {
    const [user, enrolled] = await Promise.all([who(), askAbout(evidence.userId)]);
    return { user, enrolled };
  }
  const user = await who();
  return { user, enrolled: await askAbout(user.userId) };
}

/** Only the count this attempt stood in: a success at home gives a guesser elsewhere no new tries. */
const failuresOf = ({ appId }: Interaction, { attempt, identifier }: Evidence, device: string): FailureKey =>
  attempt ?? { appId, subject: subjectOf(identifier), origin: device };

type Begun = { user: User; evidence: Evidence; due: Due; failures: FailureKey };

async function begun(
  tx: Transaction,
  where: Where,
  { user, evidence, due, failures }: Begun,
): Promise<Pending> {
  const { userId } = user;
  const type = due.due === 'second_factor' ? 'sign_in.second_factor_due' : 'sign_in.step_due';
  await Promise.all([clearFailures(tx, failures), audit(tx, eventOf(where, { userId, evidence, type }))]);
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

type Recorded = { userId: string; evidence: Evidence; type: string };

function eventOf({ ctx, interaction }: Where, { userId, evidence, type }: Recorded): AuditEvent {
  const { method, second } = evidence;
  return {
    ...authorOf(ctx),
    appId: interaction.appId,
    type,
    actor: { type: 'user', id: userId },
    userId,
    clientId: interaction.client.clientId,
    result: 'success',
    details: { method, ...(second === undefined ? {} : { second }) },
  };
}
