import type { Queryable } from '../../storage/database.ts';
import { deletePasskeys, deletePasskeysSince } from '../passkeys/store.ts';
import { removeRecoveryCodes, removeRecoveryCodesSince } from '../recovery-codes/store.ts';
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
  await removeIdleRecoveryCodes(tx, appId, userId);
}

/** Codes that stand in for nothing: the next factor would find them there, and make its owner none of their own. */
async function removeIdleRecoveryCodes(tx: Queryable, appId: string, userId: string): Promise<void> {
  if (!canShowFactor(await enrolledFactors(tx, appId, userId))) await removeRecoveryCodes(tx, appId, userId);
}

type Since = { appId: string; userId: string; since: Date };

/** Those that were set up since then, by somebody else perhaps. Older ones stay: a mailbox alone is no way round them. */
export async function removeFactorsSince(tx: Queryable, at: Since): Promise<void> {
  await removeTotpSince(tx, at);
  await removeRecoveryCodesSince(tx, at);
  await removePasskeysSince(tx, at);
}

/** Passkeys alone, and what only stood in for them. */
export async function removePasskeysSince(tx: Queryable, at: Since): Promise<void> {
  await deletePasskeysSince(tx, at);
  await removeIdleRecoveryCodes(tx, at.appId, at.userId);
}
