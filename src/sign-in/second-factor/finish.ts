import type { Transaction } from '../../storage/database.ts';
import { forgetTrustHere, trustDevice } from '../../users/trusted-devices/store.ts';
import { userById } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import { deviceInWords } from '../../http/device-in-words.ts';
import { localeOf } from '../../http/page.ts';
import { deviceOf } from '../../users/devices/device-name.ts';
import { completeSignIn } from '../complete.ts';
import { alreadyFinished } from '../errors.ts';
import type { Attempt } from '../lockout/attempt.ts';
import type { PendingStep } from './on-pending.ts';
import type { Pending } from './pending.ts';
import { giveTrust, newTrust, type Trust, trustsOf } from './trusted-cookie.ts';

/** What a second factor proved. */
export type SecondProof = {
  /** For the audit trail. */
  method: string;
  /** RFC 8176; `mfa` is added here. */
  amr: string[];
  attempt?: Attempt | undefined;
  /** Runs first in the transaction that signs in: spends the proof. A Problem refuses it and gives everything back. */
  prove(tx: Transaction): Promise<void>;
};

/** Two different proofs: the sign-in is finished with both, unless something else is due. */
export async function finishSecondFactor(step: PendingStep, proof: SecondProof): Promise<void> {
  const { ctx, deps, appId, pending, snapshot } = step;
  const days = snapshot.app.settings.trusted_device_days;
  const trust = step.form.remember_device === 'yes' && days > 0 ? newTrust() : undefined;
  let others: Trust[] = [];
  await completeSignIn(step, {
    ...carried(pending),
    second: proof.method,
    amr: [...new Set([...pending.amr, ...proof.amr, 'mfa'])],
    attempt: proof.attempt,
    async who(tx) {
      await proof.prove(tx);
      const user = await stillThere(tx, appId, pending);
      const { userId } = user;
      if (trust) others = await trustHere(tx, step, { userId, digest: trust.digest, days });
      return user;
    },
  });
  if (trust) giveTrust(ctx, deps.config, { appId, trusts: [trust, ...others], days });
}

/** What other people of this browser were given stays with it. */
async function trustHere(
  tx: Transaction,
  { ctx, deps, appId }: PendingStep,
  trust: { userId: string; digest: string; days: number },
): Promise<Trust[]> {
  const { userId } = trust;
  const trusts = trustsOf(ctx, deps.config, appId);
  const digests = trusts.map(({ digest }) => digest);
  const theirs = await forgetTrustHere(tx, { appId, userId, digests });
  const name = deviceInWords(localeOf(ctx), deviceOf(ctx.get('User-Agent')));
  await trustDevice(tx, { appId, name, ...trust });
  return trusts.filter(({ digest }) => !theirs.includes(digest));
}

/**
 * Goes on with what was proved so far; `passed` says what was put off or passed by, `also` is done in the same
 * transaction.
 */
export async function finishPending(
  step: PendingStep,
  passed?: string,
  also: (tx: Transaction) => Promise<void> = async () => {},
): Promise<void> {
  const { appId, pending } = step;
  await completeSignIn(step, {
    ...carried(pending),
    second: pending.second,
    amr: pending.amr,
    passed: passed === undefined ? pending.passed : [...pending.passed, passed],
    async who(tx) {
      const user = await stillThere(tx, appId, pending);
      await also(tx);
      return user;
    },
  });
}

const carried = ({ method, identifier, authTimeSeconds, passed }: Pending) => ({
  method,
  identifier,
  authTimeSeconds,
  passed,
});

/**
 * The user of a pending sign-in. Whoever was locked out meanwhile (disabled, another address, a recovery, "sign out
 * everywhere") has to begin anew: what they proved before counts no more.
 */
export async function stillThere(tx: Transaction, appId: string, pending: Pending): Promise<User> {
  const user = await userById(tx, appId, pending.userId);
  const isOver = (user?.accessEndedAt?.getTime() ?? 0) > pending.provedAt * 1000;
  if (!user || user.disabledAt || user.email !== pending.identifier || isOver) throw alreadyFinished();
  return user;
}
