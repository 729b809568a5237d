import { Problem } from '../../kernel/problem.ts';

export const notAuthenticated = () =>
  new Problem({
    code: 'request.unauthenticated',
    kind: 'unauthenticated',
    message: "Send an operator's access token or the admin key as bearer token.",
  });

export const scopeMissing = (scope: string) =>
  new Problem({
    code: 'request.scope_missing',
    kind: 'forbidden',
    message: `This needs the scope ${scope}.`,
  });

export const unknownField = (field: string) =>
  new Problem({
    code: 'request.unknown_field',
    kind: 'invalid',
    message: `${field} is not known here.`,
    field,
  });

export const invalidValue = (field: string | undefined, reason: string) =>
  new Problem({
    code: 'request.invalid',
    kind: 'invalid',
    message: field === undefined ? reason : `${field}: ${reason}`,
    field,
  });

export const noSuchRoute = () =>
  new Problem({ code: 'request.not_found', kind: 'not_found', message: 'There is nothing here.' });

export const idempotencyMismatch = () =>
  new Problem({
    code: 'idempotency.mismatch',
    kind: 'conflict',
    message: 'This Idempotency-Key was used for another request.',
    field: 'Idempotency-Key',
  });

export const idempotencyInProgress = () =>
  new Problem({
    code: 'idempotency.in_progress',
    kind: 'conflict',
    message: 'A request with this Idempotency-Key is still being worked on. Try again in a moment.',
    field: 'Idempotency-Key',
    retryAfterSeconds: 2,
  });
