import type { Context } from 'koa';
import type { AppSnapshot } from '../../apps/app.ts';
import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import type { Transaction } from '../../storage/database.ts';
import type { Access } from '../../users/access.ts';
import { afterFactorChange } from '../../users/factors/remove.ts';
import { passwordHashOf } from '../../users/passwords/store.ts';
import { countPasskeys, deletePasskey } from '../../users/passkeys/store.ts';
import { lockUser } from '../../users/store.ts';
import type { PasskeyDeps } from './enrol.ts';
import { lastWayIn } from './errors.ts';
import { tellOwner } from './notify.ts';

export type Removal = {
  ctx: Context;
  deps: Omit<PasskeyDeps, 'rootKeys'> & { access: Pick<Access, 'endUserAccess'> };
  snapshot: AppSnapshot;
  userId: string;
  passkeyId: string;
  by: Author;
  /** The session that goes on. */
  sessionUid: string;
};

/**
 * Removes a passkey of the person who asks, and ends every other session: who removes one may have lost the device.
 * Problem `passkeys.last_way_in` where nothing else would let them in again. False when there was no such passkey.
 */
export function removeOwnPasskey(removal: Removal): Promise<boolean> {
  const { deps, snapshot, userId, passkeyId, by, sessionUid } = removal;
  const { appId } = snapshot.app;
  return deps.db.transaction(appId, async (tx) => {
    // Locked, so that two removals at once do not each leave the other's passkey as the way in.
    const user = await lockUser(tx, appId, userId);
    const name = user && (await deletePasskey(tx, { appId, userId, passkeyId }));
    if (!user || name === undefined) return false;
    if (!(await canSignIn(tx, snapshot, userId))) throw lastWayIn();
    await afterFactorChange(tx, appId, userId);
    await deps.access.endUserAccess(tx, {
      appId,
      userId,
      why: 'passkey_removed',
      exceptSessionUid: sessionUid,
    });
    await tellOwner(tx, removal, { user, template: 'passkey-removed', passkey: name });
    const details = { passkey_id: passkeyId, name };
    await audit(tx, { ...by, appId, type: 'passkey.removed', userId, result: 'success', details });
    return true;
  });
}

/** Whether a user has something left to sign in with. */
async function canSignIn(
  tx: Transaction,
  { app: { appId, settings } }: AppSnapshot,
  userId: string,
): Promise<boolean> {
  const { methods } = settings;
  if (methods.magic_link || methods.email_code) return true;
  if (methods.password && (await passwordHashOf(tx, appId, userId)) !== undefined) return true;
  return methods.passkey && (await countPasskeys(tx, appId, userId)) > 0;
}
