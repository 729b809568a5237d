import { Problem } from '../../kernel/problem.ts';

export const noSuchApp = () =>
  new Problem({ code: 'account.not_found', kind: 'not_found', message: 'There is nothing here.' });

export const notSignedIn = () =>
  new Problem({
    code: 'account.not_signed_in',
    kind: 'unauthenticated',
    message: 'The sign-in was not finished, so there is no account to show.',
  });

/** Where the app requires a second factor the last one can only be replaced. */
export const factorRequired = () =>
  new Problem({
    code: 'account.factor_required',
    kind: 'conflict',
    message: 'This app requires a second factor, so the last one can only be replaced.',
  });
