import { type PasswordFault, faultOfPassword } from './policy.ts';
import type { PageRequest } from '../step.ts';
import { sentence } from '../page.ts';

/** What is wrong with a new password typed on this page, as a sentence; undefined: nothing. */
export function faultInWords(
  request: PageRequest,
  password: string | undefined,
  email: string,
): string | undefined {
  const { name, settings } = request.snapshot.app;
  const fault: PasswordFault | undefined = password
    ? faultOfPassword(password, { minLength: settings.password_min_length, email, appName: name })
    : { key: 'problem.required', values: {} };
  return fault && sentence(request.ctx, fault.key, fault.values);
}
