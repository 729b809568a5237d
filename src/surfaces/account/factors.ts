import { audit } from '../../events/audit.ts';
import { Problem } from '../../kernel/problem.ts';
import { askedFrom } from '../../sign-in/asked-from.ts';
import { makeRecoveryCodes } from '../../sign-in/recovery-codes/make.ts';
import { type FactorNews, tellOfFactors } from '../../sign-in/second-factor/tell.ts';
import { trustsOf } from '../../sign-in/second-factor/trusted-cookie.ts';
import { scoped, type Transaction } from '../../storage/database.ts';
import { canShowFactor, enrolledFactors, needsCodes } from '../../users/factors/enrolled.ts';
import { afterFactorChange } from '../../users/factors/remove.ts';
import { recoveryCodesOf } from '../../users/recovery-codes/store.ts';
import { lockUser } from '../../users/store.ts';
import { removeTotp, totpOf } from '../../users/totp/store.ts';
import { listTrustedDevices } from '../../users/trusted-devices/store.ts';
import type { User } from '../../users/user.ts';
import { factorRequired, notSignedIn } from './errors.ts';
import { goBack, localeOfVisit, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

export async function showFactors(visit: Visit, problem?: string): Promise<void> {
  const { ctx, appId, deps, root, session, snapshot } = visit;
  const { userId } = session;
  const q = scoped(deps.db, appId);
  const totp = await totpOf(q, appId, userId);
  const codes = await recoveryCodesOf(q, appId, userId);
  const devices = await listTrustedDevices(q, appId, userId);
  const here = trustsOf(ctx, deps.config, appId).map(({ digest }) => digest);
  if (problem !== undefined) ctx.status = 400;
  showAccount(visit, 'factors', {
    is_off: snapshot.app.settings.second_factor === 'off',
    totp: totp && {
      since: totp.created_at.toISOString(),
      last_used: totp.last_used_at?.toISOString() ?? null,
      remove_action: `${root}/factors/totp/remove`,
    },
    totp_url: urlOf(visit, 'factors/totp'),
    codes: needsCodes(await enrolledFactors(q, appId, userId), snapshot.app.settings.second_factor)
      ? { remaining: codes.remaining, renew_action: `${root}/factors/recovery-codes` }
      : null,
    devices: devices.map((device) => ({
      name: device.name || sentenceOf(visit, 'account.device_unknown'),
      is_here: here.includes(device.digest),
      since: device.created_at.toISOString(),
      last_used: device.last_used_at.toISOString(),
      until: device.expires_at.toISOString(),
      rename_action: `${root}/factors/devices/${device.device_id}/rename`,
      forget_action: `${root}/factors/devices/${device.device_id}/forget`,
    })),
    problem: problem === undefined ? null : sentenceOf(visit, problem),
  });
}

/** Switched off where nothing requires it; every other session ends: whoever does this may have lost the phone. */
export async function switchTotpOff(visit: Visit): Promise<void> {
  const { appId, by, deps, session, snapshot } = visit;
  const { userId } = session;
  const isRequired = snapshot.app.settings.second_factor === 'required';
  try {
    await changeFactors(visit, async (tx) => {
      if (!(await removeTotp(tx, appId, userId))) return undefined;
      await afterFactorChange(tx, appId, userId);
      if (isRequired && !canShowFactor(await enrolledFactors(tx, appId, userId))) throw factorRequired();
      const exceptSessionUid = session.uid;
      await deps.access.endUserAccess(tx, { appId, userId, why: 'factor_removed', exceptSessionUid });
      const { sessionId } = session;
      await audit(tx, { ...by, appId, type: 'totp.disabled', userId, sessionId, result: 'success' });
      return 'totp-removed';
    });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'account.factor_required') throw error;
    return showFactors(visit, 'account.totp_required');
  }
  goBack(visit, 'factors', 'totp_removed');
}

/** Ten new ones in the answer to this request; the old ones stop working. */
export async function renewCodes(visit: Visit): Promise<void> {
  const { appId, by, deps, session, snapshot } = visit;
  const { userId, sessionId } = session;
  const enrolled = await enrolledFactors(scoped(deps.db, appId), appId, userId);
  if (!needsCodes(enrolled, snapshot.app.settings.second_factor)) return goBack(visit, 'factors');
  let codes: string[] = [];
  const user = await changeFactors(visit, async (tx) => {
    codes = await makeRecoveryCodes(tx, { appId, userId, by, sessionId });
    return 'recovery-codes-made';
  });
  showCodes(visit, user, codes);
}

export function showCodes(visit: Visit, user: User, codes: string[]): void {
  const back_url = urlOf(visit, 'factors');
  showAccount(visit, 'factors', {
    view: 'account/factor-codes',
    codes,
    account: user.email,
    back_url,
    notice: null,
  });
}

/** One change of what protects the account, which its owner is told of. The user is locked meanwhile. */
export async function changeFactors(
  visit: Visit,
  change: (tx: Transaction, user: User) => Promise<FactorNews | undefined>,
): Promise<User> {
  const { ctx, appId, deps, session, snapshot } = visit;
  return deps.db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, session.userId);
    if (!user) throw notSignedIn();
    const news = await change(tx, user);
    if (news !== undefined)
      await tellOfFactors(tx, deps, {
        user,
        news,
        app: { name: snapshot.app.name, url: (ctx.state.startUrl as string | undefined) ?? null },
        from: askedFrom(ctx),
        locale: localeOfVisit(visit),
      });
    return user;
  });
}
