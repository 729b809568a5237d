import { audit } from '../../events/audit.ts';
import type { Author } from '../../events/author.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import type { Transaction } from '../../storage/database.ts';
import { putTotp } from '../../users/totp/store.ts';
import { alreadyFinished } from '../errors.ts';
import { sealSeed } from './one-time-code.ts';
import { type Proposal, spendProposal } from './proposal.ts';

type Enabling = {
  appId: string;
  userId: string;
  proposal: Proposal;
  /** Of the code that was typed. */
  step: number;
  by: Author;
  sessionId?: string | undefined;
};

/**
 * Makes a proposed seed the user's, once: of two codes that come at once the later is refused. Works in the transaction
 * that tells the user.
 */
export async function enableTotp(
  tx: Transaction,
  { rootKeys }: { rootKeys: RootKeys },
  enabling: Enabling,
): Promise<void> {
  const { appId, userId, proposal, step, by, sessionId } = enabling;
  if (!(await spendProposal(tx, appId, proposal))) throw alreadyFinished();
  const seed = sealSeed(rootKeys, { appId, userId }, proposal.seed);
  await putTotp(tx, { appId, userId, seed, step });
  await audit(tx, { ...by, appId, type: 'totp.enabled', userId, sessionId, result: 'success' });
}
