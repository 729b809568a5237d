import { Problem } from '../../kernel/problem.ts';

export const hookNotFound = () =>
  new Problem({ code: 'token_hook.not_found', kind: 'not_found', message: 'This app has no token hook.' });

export const hookExists = () =>
  new Problem({
    code: 'token_hook.exists',
    kind: 'conflict',
    message: 'This app has a token hook already. Change it, or delete it first.',
  });

export const hookUrlInvalid = () =>
  new Problem({
    code: 'token_hook.url_invalid',
    kind: 'invalid',
    message:
      'url: must be an https address on the public internet, without user name or password, on port 443 or from 1024 up. Other hosts are named in OUTBOUND_ALLOWED_HOSTS.',
    field: 'url',
  });
