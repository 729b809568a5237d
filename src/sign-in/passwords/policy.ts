import { foldPassword } from './fold.ts';

export const MAX_LENGTH = 128;

/** A refused password, as the key of its sentence in the catalogue. */
export type PasswordFault = { key: string; values: Record<string, number> };

export type PasswordContext = {
  minLength: number;
  email: string;
  appName: string;
  /** Of the person, as far as they are known. */
  names?: readonly string[];
};

/** What people take when asked for a long password; whatever is built of these and little else is refused. */
const COMMON = [
  'password',
  'passwort',
  'passphrase',
  'contraseña',
  'motdepasse',
  'correcthorsebatterystaple',
  'trustno',
  'qwertyuiop',
  'qwerty',
  'qwertz',
  'azerty',
  'asdfghjkl',
  'asdf',
  'zxcvbnm',
  'yxcvbnm',
  'abcdefghijklmnopqrstuvwxyz',
  'abcdefgh',
  'abcdef',
  'abc',
  'letmein',
  'welcome',
  'iloveyou',
  'monkey',
  'dragon',
  'football',
  'baseball',
  'sunshine',
  'princess',
  'master',
  'admin',
  'administrator',
  'login',
  'shadow',
  'superman',
  'batman',
  'michael',
  'changeme',
  'default',
  'secret',
  'guest',
  'root',
  'user',
  'test',
  'spring',
  'summer',
  'autumn',
  'winter',
  'hello',
  'starwars',
].sort((a, b) => b.length - a.length);

const LEET: Record<string, string> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/** What is wrong with a new password, if anything. No composition rules (NIST SP 800-63B-4 §3.1.1.2). */
export function faultOfPassword(input: string, context: PasswordContext): PasswordFault | undefined {
  // First: what follows is work that grows with the length.
  if (isTooLong(input)) return { key: 'problem.password_long', values: { max: MAX_LENGTH } };
  const password = foldPassword(input);
  if (lengthOf(password) < context.minLength)
    return { key: 'problem.password_short', values: { min: context.minLength } };
  if (isPersonal(password.toLowerCase(), context)) return { key: 'problem.password_personal', values: {} };
  return isGuessable(password) ? { key: 'problem.password_common', values: {} } : undefined;
}

/** Code points, as NIST SP 800-63B-4 §3.1.1.2 counts. */
const lengthOf = (text: string): number => Array.from(text).length;

/** Checked before anything is hashed. The unfolded length counts too: folding is work. */
export function isTooLong(input: string): boolean {
  return input.length > 4 * MAX_LENGTH || lengthOf(foldPassword(input)) > MAX_LENGTH;
}

/** What stands on the page, in the address or on the doorbell is guessed first. */
function isPersonal(lower: string, { email, appName, names = [] }: PasswordContext): boolean {
  const [local = ''] = email.toLowerCase().split('@');
  const parts = names
    .flatMap((name) => [name, ...name.split(/[\s,'’-]+/)])
    .map((name) => foldPassword(name).toLowerCase());
  const own = [local, appName.toLowerCase(), 'latchkey', ...parts].filter((word) => word.length >= 4);
  return own.some((word) => lower.includes(word) || squeezed(lower).includes(squeezed(word)));
}

function isGuessable(password: string): boolean {
  const lower = password.toLowerCase();
  // `abcabcabcabcabc`, `111111111111111`: the first part says it all.
  if (/^(.{1,5}?)\1+.{0,4}$/su.test(lower)) return true;
  if (DIGITS.includes(lower) || DIGITS_BACK.includes(lower)) return true;
  return [lower, lower.replace(/./gsu, (letter) => LEET[letter] ?? letter)].some(isMostlyCommonWords);
}

const DIGITS = '0123456789'.repeat(13);
const DIGITS_BACK = '9876543210'.repeat(13);

const squeezed = (text: string): string => text.replace(/[\s._-]+/g, '');

function isMostlyCommonWords(text: string): boolean {
  let rest = text;
  for (const word of COMMON) rest = rest.replaceAll(word, '');
  return rest !== text && rest.replace(/[^\p{L}]+/gu, '').length < 4;
}
