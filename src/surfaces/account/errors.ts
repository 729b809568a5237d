import { Problem } from '../../kernel/problem.ts';

export const noSuchApp = () =>
  new Problem({ code: 'account.not_found', kind: 'not_found', message: 'There is nothing here.' });

export const notSignedIn = () =>
  new Problem({
    code: 'account.not_signed_in',
    kind: 'unauthenticated',
    message: 'The sign-in was not finished, so there is no account to show.',
  });
