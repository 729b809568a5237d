import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import { scoped, type Transaction } from '../../storage/database.ts';
import { forgetDevices } from '../../users/devices/store.ts';
import { dropEmailChange } from '../../users/email-changes/store.ts';
import { passwordHashOf, removePassword, setPassword } from '../../users/passwords/store.ts';
import { lockUser, userById } from '../../users/store.ts';
import type { User } from '../../users/user.ts';
import type { SignInDeps } from '../deps.ts';
import { deviceOf } from '../device-cookie.ts';
import type { Attempt } from '../lockout/attempt.ts';
import { throttleNetwork } from '../lockout/network.ts';
import { clearFailures } from '../lockout/store.ts';
import { killWaysIn } from '../mailed-proof/store.ts';
import { tellOwner } from '../tell-owner.ts';
import { isTooLong } from './policy.ts';
import { verifyPassword } from './verify.ts';

type Deps = Pick<
  SignInDeps,
  'db' | 'ephemeral' | 'config' | 'hasher' | 'mail' | 'places' | 'networkLimits'
> & {
  access: Pick<SignInDeps['access'], 'endUserAccess'>;
};

/** Somebody who is signed in, at a page of theirs. */
export type Owner = {
  ctx: Context;
  deps: Deps;
  appId: string;
  snapshot: AppSnapshot;
  session: { uid: string; userId: string };
  by: Author;
};

/**
 * Replaces the password of whoever knows it, or sets the first one. A wrong one is counted as at the sign-in, before it
 * is looked at. False when it is wrong, or may not be tried at present.
 */
export async function changeOwnPassword(
  owner: Owner,
  typed: { current: string | undefined; next: string },
): Promise<boolean> {
  const { ctx, deps, appId, session } = owner;
  const { userId } = session;
  const q = scoped(deps.db, appId);
  const user = await userById(q, appId, userId);
  const before = await passwordHashOf(q, appId, userId);
  if (!user) return false;
  const attempt = before === undefined ? undefined : await proveCurrent(owner, user, typed.current ?? '');
  if (before !== undefined && attempt === undefined) return false;
  const hash = await deps.hasher.hash(typed.next);
  return deps.db.transaction(appId, async (tx) => {
    const locked = await lockUser(tx, appId, userId);
    // Of two changes at once the later one was proved with a password that is none any more.
    if (!locked || (await passwordHashOf(tx, appId, userId)) !== before) return false;
    await setPassword(tx, { appId, userId, hash });
    if (attempt) await clearFailures(tx, attempt);
    await endOthers(tx, owner, locked, before === undefined ? 'password.set' : 'password.changed');
    await tellOwner(
      tx,
      { ctx, deps, snapshot: owner.snapshot },
      { user: locked, template: 'password-changed' },
    );
    return true;
  });
}

/** Whether there was one. That another way in is left is the caller's to know. */
export function removeOwnPassword(owner: Owner): Promise<boolean> {
  const { ctx, deps, appId, session, snapshot } = owner;
  return deps.db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, session.userId);
    if (!user || !(await removePassword(tx, appId, session.userId))) return false;
    await endOthers(tx, owner, user, 'password.removed');
    await tellOwner(tx, { ctx, deps, snapshot }, { user, template: 'password-removed' });
    return true;
  });
}

async function proveCurrent(owner: Owner, user: User, password: string): Promise<Attempt | undefined> {
  const { ctx, deps, appId, by } = owner;
  if (password === '' || isTooLong(password)) return undefined;
  await throttleNetwork(deps, ctx, { appId, what: 'secrets' });
  const device = deviceOf(ctx, deps.config, appId);
  const result = await verifyPassword(deps, { appId, email: user.email, password, device });
  if (result.ok) return result.attempt;
  const { userId } = user;
  const details = { reason: result.reason };
  await audit(scoped(deps.db, appId), {
    ...by,
    appId,
    type: 'password.change_refused',
    userId,
    result: 'failure',
    details,
  });
  return undefined;
}

/** Whoever knew the old one is out, and so is what was on its way to being somebody's way in. */
async function endOthers(tx: Transaction, owner: Owner, user: User, type: string): Promise<void> {
  const { ctx, deps, appId, session, by } = owner;
  const { userId, email } = user;
  await deps.access.endUserAccess(tx, {
    appId,
    userId,
    why: 'password_changed',
    exceptSessionUid: session.uid,
  });
  await dropEmailChange(tx, appId, userId);
  await forgetDevices(tx, appId, userId, deviceOf(ctx, deps.config, appId));
  await audit(tx, { ...by, appId, type, userId, result: 'success' });
  tx.afterCommit(async () => {
    await killWaysIn(deps.ephemeral, appId, email);
  });
}
