import { Problem } from '../../kernel/problem.ts';

export const keyNotFound = () =>
  new Problem({ code: 'keys.not_found', kind: 'not_found', message: 'This app has no such published key.' });
