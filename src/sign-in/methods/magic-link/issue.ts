import { issueProof } from '../../mailed-proof/issue.ts';
import type { Step } from '../../step.ts';

/** Mails a sign-in link to the user of this address, if there is one. Tells nobody which. */
export async function askForLink(step: Step, email: string): Promise<void> {
  await issueProof(step, {
    kind: 'magic_link',
    email,
    path: 'magic-link',
    ttlSeconds: step.snapshot.app.settings.magic_link_ttl,
    mailFor: (user, link) => (user ? { template: 'magic-link', url: link } : undefined),
  });
}
