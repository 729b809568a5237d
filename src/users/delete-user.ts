import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import type { Database } from '../storage/database.ts';
import type { Access } from './access.ts';
import { userNotFound } from './errors.ts';
import { deleteUser as eraseUser, lockUser } from './store.ts';

export type DeleteUserDeps = { db: Database; access: Pick<Access, 'endUserAccess'> };

/** Ends everything the user holds and erases the person; the audit trail keeps the id alone. */
export async function deleteUser(
  deps: DeleteUserDeps,
  user: { appId: string; userId: string; by: Author },
): Promise<void> {
  const { appId, userId, by } = user;
  await deps.db.transaction(appId, async (tx) => {
    if (!(await lockUser(tx, appId, userId))) throw userNotFound();
    // First, so that caches learn of it: rows that vanish leave no tombstone.
    await deps.access.endUserAccess(tx, { appId, userId, why: 'user_deleted' });
    await eraseUser(tx, appId, userId);
    await audit(tx, { ...by, appId, type: 'user.deleted', userId, result: 'success' });
  });
}
