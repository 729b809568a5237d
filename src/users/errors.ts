import { Problem } from '../kernel/problem.ts';

export const userNotFound = () =>
  new Problem({ code: 'users.not_found', kind: 'not_found', message: 'There is no such user in this app.' });

export const emailTaken = () =>
  new Problem({
    code: 'users.email_taken',
    kind: 'conflict',
    message: 'Another user of this app has this e-mail address.',
    field: 'email',
  });

export const phoneTaken = () =>
  new Problem({
    code: 'users.phone_taken',
    kind: 'conflict',
    message: 'Another user of this app has this phone number.',
    field: 'phone',
  });

export const emailInvalid = () =>
  new Problem({
    code: 'users.email_invalid',
    kind: 'invalid',
    message: 'This is not an e-mail address that mail can be sent to.',
    field: 'email',
  });

export const phoneInvalid = () =>
  new Problem({
    code: 'users.phone_invalid',
    kind: 'invalid',
    message: 'A phone number is written internationally, such as +41441234567.',
    field: 'phone',
  });

export const passwordTooShort = (minLength: number) =>
  new Problem({
    code: 'users.password_too_short',
    kind: 'invalid',
    message: `A password of this app has at least ${minLength} characters.`,
    field: 'password',
  });

export const passwordTooLong = (maxLength: number) =>
  new Problem({
    code: 'users.password_too_long',
    kind: 'invalid',
    message: `A password has at most ${maxLength} characters.`,
    field: 'password',
  });

export const passwordPersonal = () =>
  new Problem({
    code: 'users.password_personal',
    kind: 'invalid',
    message:
      'This password holds the address or name of the user, or the name of the app: it would be guessed first.',
    field: 'password',
  });

export const passwordCommon = () =>
  new Problem({
    code: 'users.password_common',
    kind: 'invalid',
    message: 'This password is one of those that people take most.',
    field: 'password',
  });

export const passwordBreached = () =>
  new Problem({
    code: 'users.password_breached',
    kind: 'invalid',
    message: 'This password is known from a breach.',
    field: 'password',
  });

export const metadataTooLarge = (bytes: number) =>
  new Problem({
    code: 'users.metadata_too_large',
    kind: 'invalid',
    message: `Metadata may take ${bytes} bytes.`,
    field: 'metadata',
  });

export const sessionNotFound = () =>
  new Problem({ code: 'sessions.not_found', kind: 'not_found', message: 'This user has no such session.' });

export const passkeyNotFound = () =>
  new Problem({ code: 'passkeys.not_found', kind: 'not_found', message: 'This user has no such passkey.' });

export const grantNotFound = () =>
  new Problem({ code: 'grants.not_found', kind: 'not_found', message: 'This user has no such grant.' });
