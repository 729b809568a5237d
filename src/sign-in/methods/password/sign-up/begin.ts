import { issueProof } from '../../../mailed-proof/issue.ts';
import type { Step } from '../../../step.ts';

/**
 * Keeps a pending account and mails its link; an address that has an account gets a mail that says so. The
 * password is hashed for both, and no account exists before the link was used: an address proves nothing.
 */
export async function beginSignUp(step: Step, email: string, password: string): Promise<void> {
  const { ctx, deps, snapshot } = step;
  const passwordHash = await deps.hasher.hash(password);
  await issueProof(step, {
    kind: 'sign_up',
    email,
    path: 'sign-up',
    ttlSeconds: snapshot.app.settings.email_verification_ttl,
    passwordHash,
    mailFor: (user, link) =>
      user
        ? { template: 'sign-up-existing', url: (ctx.state.startUrl as string | undefined) ?? null }
        : { template: 'sign-up', url: link },
  });
}
