import { askForEmailChange, cancelEmailChange } from '../../sign-in/email-change/ask.ts';
import { confirmByCode, confirmEmailChange } from '../../sign-in/email-change/confirm.ts';
import { openEmailChange } from '../../sign-in/email-change/elsewhere.ts';
import { linkDead } from '../../sign-in/errors.ts';
import { scoped } from '../../storage/database.ts';
import { normalizeEmail } from '../../users/email.ts';
import { isEmailDomainAllowed } from '../../users/email-domains.ts';
import { pendingEmailChange } from '../../users/email-changes/store.ts';
import { userById } from '../../users/store.ts';
import { notSignedIn } from './errors.ts';
import { goBack, isRecent, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

type Fault = { field: 'email' | 'code'; problem: string; email?: string };

export async function showIdentifiers(visit: Visit, fault?: Fault): Promise<void> {
  const { ctx, deps, root, appId, session } = visit;
  const q = scoped(deps.db, appId);
  const user = await userById(q, appId, session.userId);
  if (!user) throw notSignedIn();
  const pending = await pendingEmailChange(q, appId, user.userId);
  if (fault) ctx.status = 400;
  showAccount(visit, 'identifiers', {
    current: user.email,
    is_verified: user.emailVerified,
    phone: user.phone ?? null,
    pending: pending ? { email: pending.new_email, until: pending.expires_at.toISOString() } : null,
    email: fault?.email ?? '',
    action: `${root}/identifiers`,
    code_action: `${root}/identifiers/code`,
    cancel_action: `${root}/identifiers/cancel`,
    prove_url: isRecent(visit) ? null : urlOf(visit, 'identifiers/prove'),
    problem: fault?.problem ?? null,
    problem_field: fault?.field,
  });
}

/** The same page whoever has the address: only its mailbox learns that it has an account. */
export async function askForChange(visit: Visit): Promise<void> {
  const email = normalizeEmail(visit.form.email);
  const typed = (visit.form.email ?? '').slice(0, 254);
  const wrong = (key: string): Promise<void> =>
    showIdentifiers(visit, { field: 'email', problem: sentenceOf(visit, key), email: typed });
  if (email === undefined) return wrong('problem.email');
  if (!isEmailDomainAllowed(email, visit.snapshot.app.settings)) return wrong('problem.email_domain');
  if (!(await askForEmailChange(visit, email))) return wrong('problem.email_same');
  goBack(visit, 'identifiers', 'email_asked');
}

export async function typeCode(visit: Visit): Promise<void> {
  const problem = await confirmByCode(visit, visit.form.code);
  if (problem) return showIdentifiers(visit, { field: 'code', problem: sentenceOf(visit, problem) });
  goBack(visit, 'identifiers', 'email');
}

export async function cancelChange(visit: Visit): Promise<void> {
  await cancelEmailChange(visit);
  goBack(visit, 'identifiers', 'email_cancelled');
}

/** The button of the page that the mailed link opens where the owner of the account is signed in. */
export async function confirmChange(visit: Visit): Promise<void> {
  const { secret = '' } = visit.ctx.params as Record<string, string>;
  const change = await openEmailChange({ ...visit, secret });
  if (change.user_id !== visit.session.userId) throw linkDead();
  await confirmEmailChange(visit, change.digest, 'link');
  goBack(visit, 'identifiers', 'email');
}
