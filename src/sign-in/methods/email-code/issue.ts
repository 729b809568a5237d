import { seconds } from '../../../kernel/duration.ts';
import { issueProof } from '../../mailed-proof/issue.ts';
import type { Step } from '../../step.ts';

/** Mails six digits to the user of this address, if there is one. Tells nobody which. */
export async function askForCode(step: Step, email: string): Promise<void> {
  await issueProof(step, {
    kind: 'email_code',
    email,
    path: 'email-code',
    ttlSeconds: 10 * seconds.minute,
    withCode: true,
    mailFor: (user) => (user ? { template: 'email-code', url: null } : undefined),
  });
}
