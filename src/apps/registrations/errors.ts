import { Problem } from '../../kernel/problem.ts';

export const metadataInvalid = (field: string, reason: string) =>
  new Problem({
    code: 'registrations.metadata_invalid',
    kind: 'invalid',
    message: `${field}: ${reason}`,
    field,
  });

export const registrationRefused = () =>
  new Problem({
    code: 'registrations.token_invalid',
    kind: 'unauthenticated',
    message: 'A valid registration token is needed.',
  });

export const tooManyClients = () =>
  new Problem({
    code: 'registrations.too_many',
    kind: 'forbidden',
    message: 'This app takes no more clients that register themselves.',
  });

export const tokenNotFound = () =>
  new Problem({
    code: 'registrations.token_not_found',
    kind: 'not_found',
    message: 'This app has no such registration token.',
  });

export const documentUnreadable = (reason: string, cause?: unknown) =>
  new Problem({
    code: 'registrations.document_unreadable',
    kind: 'invalid',
    message: `The document that this client is described in can not be used: it ${reason.slice(0, 100)}.`,
    cause,
  });
