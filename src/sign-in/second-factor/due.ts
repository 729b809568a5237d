import type { Context } from 'koa';
import { twoFactorsAsked } from '../../oidc/authentication-context.ts';
import type { Interaction } from '../../oidc/interaction.ts';
import type { Transaction } from '../../storage/database.ts';
import { canShowFactor, enrolledFactors, type FactorName, hasFactor } from '../../users/factors/enrolled.ts';
import { graceUntil } from '../../users/factors/store.ts';
import { useTrustedDevice } from '../../users/trusted-devices/store.ts';
import type { User } from '../../users/user.ts';
import type { SignInDeps } from '../deps.ts';
import type { Evidence } from '../evidence.ts';
import { offers } from './offers.ts';
import type { Pending } from './pending.ts';
import { trustsOf } from './trusted-cookie.ts';

export type Due = Pick<Pending, 'due' | 'offer' | 'laterUntil'>;

type Where = { deps: Pick<SignInDeps, 'config'>; ctx: Context; interaction: Interaction };
type Proved = { user: User; evidence: Pick<Evidence, 'amr' | 'passed'>; enrolled: readonly FactorName[] };

/** The factors that `dueAfter` asks about; none where the policy does not look at them. */
export async function factorsAsked(
  tx: Transaction,
  { snapshot }: Pick<Interaction, 'snapshot'>,
  { userId, amr }: { userId: string; amr: readonly string[] },
): Promise<readonly FactorName[]> {
  const { app } = snapshot;
  if (amr.includes('mfa') || app.settings.second_factor === 'off') return [];
  return enrolledFactors(tx, app.appId, userId);
}

/** What the person has to do before this sign-in is finished, by the app's policy and what the request asked for. */
export async function dueAfter(tx: Transaction, where: Where, proved: Proved): Promise<Due | undefined> {
  if (!proved.evidence.amr.includes('mfa')) {
    const due = await secondFactorDue(tx, where, proved);
    if (due) return due;
  }
  const { appId, snapshot } = where.interaction;
  const { amr, passed = [] } = proved.evidence;
  const { settings } = snapshot.app;
  const { ctx, deps } = where;
  const at = { ctx, config: deps.config, appId, userId: proved.user.userId, settings, amr };
  for (const offer of offers)
    if (!passed.includes(`offer:${offer.name}`) && (await offer.isDue(tx, at)))
      return { due: 'offer', offer: offer.name };
  return undefined;
}

async function secondFactorDue(
  tx: Transaction,
  { deps, ctx, interaction }: Where,
  { user, evidence, enrolled }: Proved,
): Promise<Due | undefined> {
  const { appId, snapshot, params } = interaction;
  const { second_factor: policy, second_factor_grace_days: days } = snapshot.app.settings;
  if (policy === 'off') return undefined;
  const { userId } = user;
  const asked = twoFactorsAsked(params);
  const isInsisted = policy === 'required' || asked === 'essential';
  if (hasFactor(enrolled) || (isInsisted && canShowFactor(enrolled))) {
    // What the request asks for is shown, whatever this browser was let off.
    const digests = asked === 'no' ? trustsOf(ctx, deps.config, appId).map(({ digest }) => digest) : [];
    const isLetOff = digests.length > 0 && (await useTrustedDevice(tx, { appId, userId, digests }));
    return isLetOff ? undefined : { due: 'second_factor' };
  }
  if (policy === 'optional' && asked !== 'essential') return undefined;
  if (evidence.passed?.includes('enrol')) return undefined;
  const mayWait = policy === 'required' && days > 0 && asked !== 'essential';
  const until = mayWait ? await graceUntil(tx, { appId, userId, days }) : undefined;
  return { due: 'enrol', laterUntil: until?.toISOString() };
}
