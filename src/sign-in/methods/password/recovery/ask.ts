import { issueProof } from '../../../mailed-proof/issue.ts';
import type { Step } from '../../../step.ts';

/** Mails a link for choosing a new password to the user of this address, if there is one. Tells nobody which. */
export async function askForReset(step: Step, email: string): Promise<void> {
  await issueProof(step, {
    kind: 'reset',
    email,
    path: 'reset',
    ttlSeconds: step.snapshot.app.settings.reset_ttl,
    mailFor: (user, link) => (user ? { template: 'reset', url: link } : undefined),
  });
}
