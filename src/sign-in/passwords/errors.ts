import { Problem } from '../../kernel/problem.ts';

/** The queue of hashes is full: answered at once instead of piling up. */
export const tooBusyToHash = (cause?: unknown) =>
  new Problem({
    cause,
    code: 'password.busy',
    kind: 'busy',
    message: 'Many people are signing in right now. Please try again in a few seconds.',
    retryAfterSeconds: 2,
  });

export const hashUnknown = () =>
  new Problem({
    code: 'password_hash.unknown',
    kind: 'invalid',
    message:
      'This is no notation of a password hash that can be taken over; docs/migrating-users.md lists them.',
    field: 'password_hash',
  });

export const hashMalformed = (algorithm: string) =>
  new Problem({
    code: 'password_hash.malformed',
    kind: 'invalid',
    message: `This is no complete ${algorithm} hash.`,
    field: 'password_hash',
  });

/** Whoever can have users made could otherwise make every sign-in of theirs tie up a core. */
export const hashTooCostly = (limit: string) =>
  new Problem({
    code: 'password_hash.too_costly',
    kind: 'invalid',
    message: `This hash takes more work than the most that is taken over: ${limit}.`,
    field: 'password_hash',
  });
