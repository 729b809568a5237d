import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import type { Transaction } from '../../storage/database.ts';
import { replaceRecoveryCodes } from '../../users/recovery-codes/store.ts';
import { digestOfCode, HOW_MANY, newRecoveryCode } from './recovery-code.ts';

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
