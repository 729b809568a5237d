import type { Queryable } from '../../storage/database.ts';
import { deletePasskeys, deletePasskeysSince } from '../passkeys/store.ts';
import { removeRecoveryCodes } from '../recovery-codes/store.ts';
import { removeTotp, removeTotpSince } from '../totp/store.ts';
import { forgetTrustedDevices } from '../trusted-devices/store.ts';
import { canShowFactor, enrolledFactors } from './enrolled.ts';

/**
 * Every factor of a user: the address has just been proved for the first time, and whoever set these up may have been
 * somebody else, waiting (Sudhodanan & Paverd 2022, trojan identifier). A new kind of factor adds its line.
 */
export async function removeAllFactors(tx: Queryable, appId: string, userId: string): Promise<void> {
  await removeTotp(tx, appId, userId);
  await deletePasskeys(tx, appId, userId);
  await removeRecoveryCodes(tx, appId, userId);
  await forgetTrustedDevices(tx, appId, userId);
}

/** After one was removed or replaced: what stood in for it, and what was let off by it. */
export async function afterFactorChange(tx: Queryable, appId: string, userId: string): Promise<void> {
  await forgetTrustedDevices(tx, appId, userId);
  if (!canShowFactor(await enrolledFactors(tx, appId, userId))) await removeRecoveryCodes(tx, appId, userId);
}

/** Those that were set up since then, by somebody else perhaps. Older ones stay: a mailbox alone is no way round them. */
export async function removeFactorsSince(
  tx: Queryable,
  at: { appId: string; userId: string; since: Date },
): Promise<void> {
  await deletePasskeysSince(tx, at);
  if (await removeTotpSince(tx, at)) await removeRecoveryCodes(tx, at.appId, at.userId);
}
