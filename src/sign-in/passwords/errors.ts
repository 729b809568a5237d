import { Problem } from '../../kernel/problem.ts';

/** The queue of hashes is full: answered at once instead of piling up. */
export const tooBusyToHash = () =>
  new Problem({
    code: 'password.busy',
    kind: 'unavailable',
    message: 'Many people are signing in right now. Please try again in a few seconds.',
    retryAfterSeconds: 2,
  });
