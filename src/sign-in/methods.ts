/** The ways to sign in, one line each. */
export { emailCode } from './methods/email-code/method.ts';
export { magicLink } from './methods/magic-link/method.ts';
export { passkey } from './methods/passkey/method.ts';
export { password } from './methods/password/method.ts';
