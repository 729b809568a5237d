import { Problem } from '../../kernel/problem.ts';

export const logoInvalid = (why: string) =>
  new Problem({ code: 'logo.invalid', kind: 'invalid', message: `The picture can not be used: ${why}.` });

export const logoNotFound = () =>
  new Problem({ code: 'logo.not_found', kind: 'not_found', message: 'This app has no logo.' });
