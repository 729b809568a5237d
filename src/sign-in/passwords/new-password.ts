import { passwordMinLength } from '../../apps/password-settings.ts';
import { scoped } from '../../storage/database.ts';
import type { App } from '../../apps/app.ts';
import type { Problem } from '../../kernel/problem.ts';
import type { RequirePassword } from '../../users/create-user.ts';
import {
  passwordBreached,
  passwordCommon,
  passwordPersonal,
  passwordTooLong,
  passwordTooShort,
} from '../../users/errors.ts';
import { namesIn } from '../../users/profile.ts';
import { userById } from '../../users/store.ts';
import type { PageRequest } from '../step.ts';
import { sentence } from '../page.ts';
import type { BreachedPasswords } from './breached/breached.ts';
import { isCommon } from './common-passwords.ts';
import { foldPassword } from './fold.ts';
import { type PasswordFault, faultOfPassword } from './policy.ts';

/** Whose password it will be. */
export type Whose = { email: string; userId?: string | undefined };

/** What is wrong with a new password typed on this page, as a sentence; undefined: nothing. */
export async function faultInWords(
  request: PageRequest,
  password: string | undefined,
  whose: Whose,
): Promise<string | undefined> {
  const fault = await faultOf(request, password, whose);
  return fault && sentence(request.ctx, fault.key, fault.values);
}

async function faultOf(
  { deps, appId, snapshot }: PageRequest,
  password: string | undefined,
  { email, userId }: Whose,
): Promise<PasswordFault | undefined> {
  if (!password) return { key: 'problem.required', values: {} };
  const user = userId === undefined ? undefined : await userById(scoped(deps.db, appId), appId, userId);
  return judged({ ...deps, app: snapshot.app }, password, { email, names: namesIn(user?.profile) });
}

type Rules = { breached: BreachedPasswords; app: Pick<App, 'name' | 'settings'> };

/** The same rules for a password that an operator sets. Problems `users.password_…`. */
export const requirePasswordBy =
  (rules: Rules): RequirePassword =>
  async (password, whose) => {
    const fault = await judged(rules, password, whose);
    if (fault) throw refused(fault);
  };

async function judged(
  { breached, app: { name: appName, settings } }: Rules,
  password: string,
  whose: { email: string; names: readonly string[] },
): Promise<PasswordFault | undefined> {
  const fault = faultOfPassword(password, { minLength: passwordMinLength(settings), appName, ...whose });
  if (fault) return fault;
  const folded = foldPassword(password);
  if (await isCommon(folded)) return { key: 'problem.password_common', values: {} };
  if (await breached.isKnown(folded, settings.breached_passwords))
    return { key: 'problem.password_breached', values: {} };
  return undefined;
}

function refused({ key, values }: PasswordFault): Problem {
  switch (key) {
    case 'problem.password_short':
      return passwordTooShort(values['min'] ?? 0);
    case 'problem.password_long':
      return passwordTooLong(values['max'] ?? 0);
    case 'problem.password_personal':
      return passwordPersonal();
    case 'problem.password_breached':
      return passwordBreached();
    default:
      return passwordCommon();
  }
}
