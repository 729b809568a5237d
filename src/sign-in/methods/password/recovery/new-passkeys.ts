import type { AppSnapshot } from '../../../../apps/app.ts';
import { seconds } from '../../../../kernel/duration.ts';
import type { Queryable } from '../../../../storage/database.ts';
import { removePasskeysSince } from '../../../../users/factors/remove.ts';
import { passkeysOf } from '../../../../users/passkeys/store.ts';

type At = { appId: string; userId: string; snapshot: AppSnapshot };

/**
 * Passkeys of the last day may be those of whoever the owner recovers from. Older ones stay, and all of them where the
 * app insists on a second proof: a mailbox alone must be no way round one.
 */
function suspectSince({ snapshot }: At): Date | undefined {
  if (snapshot.app.settings.second_factor === 'required') return undefined;
  return new Date(Date.now() - seconds.day * 1000);
}

export async function hasNewPasskeys(q: Queryable, at: At): Promise<boolean> {
  const since = suspectSince(at);
  return since !== undefined && (await passkeysOf(q, at)).some(({ createdAt }) => createdAt >= since);
}

export async function removeNewPasskeys(tx: Queryable, at: At): Promise<void> {
  const since = suspectSince(at);
  if (since !== undefined) await removePasskeysSince(tx, { appId: at.appId, userId: at.userId, since });
}
