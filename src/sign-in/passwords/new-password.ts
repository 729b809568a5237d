import { passwordMinLength } from '../../apps/password-settings.ts';
import { scoped } from '../../storage/database.ts';
import { userById } from '../../users/store.ts';
import type { PageRequest } from '../step.ts';
import { sentence } from '../page.ts';
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
  request: PageRequest,
  password: string | undefined,
  whose: Whose,
): Promise<PasswordFault | undefined> {
  const { name: appName, settings } = request.snapshot.app;
  if (!password) return { key: 'problem.required', values: {} };
  const minLength = passwordMinLength(settings);
  const names = await namesOf(request, whose.userId);
  const fault = faultOfPassword(password, { minLength, email: whose.email, appName, names });
  if (fault) return fault;
  const folded = foldPassword(password);
  if (await isCommon(folded)) return { key: 'problem.password_common', values: {} };
  if (await request.deps.breached.isKnown(folded, settings.breached_passwords))
    return { key: 'problem.password_breached', values: {} };
  return undefined;
}

async function namesOf({ deps, appId }: PageRequest, userId: string | undefined): Promise<string[]> {
  if (userId === undefined) return [];
  const user = await userById(scoped(deps.db, appId), appId, userId);
  const { name, given_name, family_name, nickname, preferred_username } = user?.profile ?? {};
  return [name, given_name, family_name, nickname, preferred_username].filter((text) => text !== undefined);
}
