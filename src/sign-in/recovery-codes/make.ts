import { audit } from '../../events/audit.ts';
import type { AppSettings } from '../../apps/app.ts';
import type { Author } from '../../events/author.ts';
import type { Transaction } from '../../storage/database.ts';
import { enrolledFactors, needsCodes } from '../../users/factors/enrolled.ts';
import { replaceRecoveryCodes } from '../../users/recovery-codes/store.ts';
import { digestOfCode, HOW_MANY, newRecoveryCode } from './recovery-code.ts';

/**
 * Ten codes for somebody whose newest factor is a passkey, if they need some and have none left; [] for everybody else. The
 * caller has locked the user.
 */
export async function makeMissingCodes(
  tx: Transaction,
  at: Parameters<typeof makeRecoveryCodes>[1] & { policy: AppSettings['second_factor'] },
): Promise<string[]> {
  const enrolled = await enrolledFactors(tx, at.appId, at.userId);
  const isMissing = needsCodes(enrolled, at.policy) && !enrolled.includes('recovery_code');
  return isMissing ? makeRecoveryCodes(tx, at) : [];
}

/**
 * Ten new codes; the old ones stop working. They are shown in the answer to this request and never again. The caller
 * holds the user (`lockUser`).
 */
export async function makeRecoveryCodes(
  tx: Transaction,
  at: { appId: string; userId: string; by: Author; sessionId?: string | undefined },
): Promise<string[]> {
  const { appId, userId, by, sessionId } = at;
  const codes = Array.from({ length: HOW_MANY }, newRecoveryCode);
  await replaceRecoveryCodes(tx, { appId, userId, digests: codes.map(digestOfCode) });
  await audit(tx, { ...by, appId, type: 'recovery_codes.made', userId, sessionId, result: 'success' });
  return codes;
}
