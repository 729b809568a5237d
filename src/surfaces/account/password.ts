import { passwordMinLength } from '../../apps/password-settings.ts';
import { changeOwnPassword, removeOwnPassword } from '../../sign-in/passwords/change-own.ts';
import { faultInWords } from '../../sign-in/passwords/new-password.ts';
import { scoped } from '../../storage/database.ts';
import { countPasskeys } from '../../users/passkeys/store.ts';
import { passwordHashOf } from '../../users/passwords/store.ts';
import { userById } from '../../users/store.ts';
import { notFound } from '../../http/refusals.ts';
import { notSignedIn } from './errors.ts';
import { goBack, isRecent, sentenceOf, showAccount, urlOf, type Visit } from './visit.ts';

type Fault = { field: 'current_password' | 'new_password'; problem: string };

export async function showPassword(visit: Visit, fault?: Fault): Promise<void> {
  requirePasswords(visit);
  const { ctx, deps, root, appId, session, snapshot } = visit;
  const q = scoped(deps.db, appId);
  const user = await userById(q, appId, session.userId);
  if (!user) throw notSignedIn();
  const hasPassword = (await passwordHashOf(q, appId, user.userId)) !== undefined;
  if (fault) ctx.status = 400;
  showAccount(visit, 'password', {
    email: user.email,
    has_password: hasPassword,
    action: `${root}/password`,
    prove_url: isRecent(visit) ? null : urlOf(visit, 'password/prove'),
    remove_action: hasPassword && (await hasOtherWay(visit)) ? `${root}/password/remove` : null,
    min_length: passwordMinLength(snapshot.app.settings),
    problem: fault?.problem ?? null,
    problem_field: fault?.field,
  });
}

export async function changePassword(visit: Visit): Promise<void> {
  requirePasswords(visit);
  const { deps, appId, session, form } = visit;
  const user = await userById(scoped(deps.db, appId), appId, session.userId);
  if (!user) throw notSignedIn();
  const next = form.new_password ?? '';
  const problem = await faultInWords({ ...visit, csrfScope: '' }, next, user);
  if (problem) return showPassword(visit, { field: 'new_password', problem });
  const had = (await passwordHashOf(scoped(deps.db, appId), appId, user.userId)) !== undefined;
  if (await changeOwnPassword(visit, { current: form.current_password, next }))
    return goBack(visit, 'password', had ? 'password' : 'password_set');
  await showPassword(visit, {
    field: 'current_password',
    problem: sentenceOf(visit, 'problem.current_password'),
  });
}

export async function removePassword(visit: Visit): Promise<void> {
  requirePasswords(visit);
  // A page that was open for long may still show the button.
  if (!(await hasOtherWay(visit))) return goBack(visit, 'password');
  goBack(visit, 'password', (await removeOwnPassword(visit)) ? 'password_removed' : undefined);
}

/** Whether somebody without a password could still get in. */
async function hasOtherWay({ deps, appId, session, snapshot }: Visit): Promise<boolean> {
  const { methods } = snapshot.app.settings;
  if (methods.magic_link || methods.email_code) return true;
  return methods.passkey && (await countPasskeys(scoped(deps.db, appId), appId, session.userId)) > 0;
}

/** An app that has passwords switched off has no such page. */
function requirePasswords({ snapshot }: Visit): void {
  if (!snapshot.app.settings.methods.password) throw notFound();
}
