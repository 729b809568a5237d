import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import type { Transaction } from '../storage/database.ts';
import type { Access } from './access.ts';
import { setDisabled } from './store.ts';

export type DisableUserDeps = { access: Pick<Access, 'endUserAccess'> };

/** Ends everything the user holds, in the caller's transaction. Doing it twice changes nothing. */
export async function disableUser(
  deps: DisableUserDeps,
  tx: Transaction,
  user: { appId: string; userId: string; by: Author },
): Promise<void> {
  const { appId, userId, by } = user;
  const changed = await setDisabled(tx, appId, userId, true);
  // Also when it was disabled before: the first try may have died before every cache knew.
  await deps.access.endUserAccess(tx, { appId, userId, why: 'user_disabled' });
  if (changed) await audit(tx, { ...by, appId, type: 'user.disabled', userId, result: 'success' });
}

/** The user may sign in again; nothing that was ended comes back. */
export async function enableUser(
  tx: Transaction,
  user: { appId: string; userId: string; by: Author },
): Promise<void> {
  const { appId, userId, by } = user;
  if (!(await setDisabled(tx, appId, userId, false))) return;
  await audit(tx, { ...by, appId, type: 'user.enabled', userId, result: 'success' });
}
