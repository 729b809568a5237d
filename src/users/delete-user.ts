import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import type { Database, Transaction } from '../storage/database.ts';
import type { Access } from './access.ts';
import { userNotFound } from './errors.ts';
import { deleteUser as eraseUser, lockUser } from './store.ts';
import type { User } from './user.ts';

export type DeleteUserDeps = { db: Database; access: Pick<Access, 'endUserAccess'> };

/** Ends everything the user holds and erases the person; the audit trail keeps the id alone. */
export async function deleteUser(
  deps: DeleteUserDeps,
  user: { appId: string; userId: string; by: Author; tell?: (tx: Transaction, user: User) => Promise<void> },
): Promise<void> {
  const { appId, userId, by, tell } = user;
  await deps.db.transaction(appId, async (tx) => {
    const locked = await lockUser(tx, appId, userId);
    if (!locked) throw userNotFound();
    await tell?.(tx, locked);
    // First, so that caches learn of it: rows that vanish leave no tombstone.
    await deps.access.endUserAccess(tx, { appId, userId, why: 'user_deleted' });
    await eraseUser(tx, appId, userId);
    await audit(tx, { ...by, appId, type: 'user.deleted', userId, result: 'success' });
  });
}
