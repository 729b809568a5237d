import { Problem } from '../kernel/problem.ts';

export const crossSite = () =>
  new Problem({
    code: 'request.cross_site',
    kind: 'forbidden',
    message: 'This request came from another site and was refused.',
  });

export const formExpired = () =>
  new Problem({
    code: 'request.form_expired',
    kind: 'forbidden',
    message:
      'This form was open for too long, or cookies are switched off. Please go back and send it once more.',
  });

export const tooLarge = () =>
  new Problem({ code: 'request.too_large', kind: 'too_large', message: 'The request is too large.' });

export const unsupportedMediaType = (wanted: string) =>
  new Problem({
    code: 'request.unsupported_media_type',
    kind: 'unsupported_media_type',
    message: `The body must be ${wanted}, in UTF-8 and without content coding.`,
  });

export const wrongFile = (wanted: string) =>
  new Problem({
    code: 'request.unsupported_media_type',
    kind: 'unsupported_media_type',
    message: `The body must be a file of type ${wanted}, without content coding.`,
  });

export const malformed = (message = 'The request is malformed.', cause?: unknown) =>
  new Problem({ code: 'request.malformed', kind: 'invalid', message, cause });

export const duplicateField = (field: string) =>
  new Problem({
    code: 'request.duplicate_field',
    kind: 'invalid',
    message: 'A field was sent more than once.',
    field: field.slice(0, 64),
  });

export const notFound = () =>
  new Problem({ code: 'request.not_found', kind: 'not_found', message: 'There is nothing here.' });

export const limited = (retryAfterSeconds: number) =>
  new Problem({
    code: 'request.limited',
    kind: 'limited',
    message: 'That was too many requests. Please try again later.',
    retryAfterSeconds,
  });

let spread = 0;

/** Spread, so that those who are refused together do not come back together. */
export const tooManySignIns = () =>
  new Problem({
    code: 'sign_in.busy',
    kind: 'busy',
    message: 'Many people are signing in right now. Please try again in a few seconds.',
    retryAfterSeconds: 2 + (spread++ % 6),
  });
