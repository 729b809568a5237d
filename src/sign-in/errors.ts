import { Problem } from '../kernel/problem.ts';

/** Used, expired, replaced by a newer one, killed by wrong codes, or never made: nobody is told which. */
export const linkDead = () =>
  new Problem({ code: 'sign_in.link_dead', kind: 'expired', message: 'This link no longer works.' });

/** One answer for an unknown account, a wrong secret, a disabled user and a locked one. */
export const signInRefused = () =>
  new Problem({
    code: 'sign_in.refused',
    kind: 'invalid',
    message: 'That e-mail address and password do not go together.',
  });

/** Somebody has finished this sign-in already, in this browser or by another request of it. */
export const alreadyFinished = () =>
  new Problem({
    code: 'interaction.expired',
    kind: 'expired',
    message: 'This sign-in is over. Please start again at the app.',
  });

/** Somebody signed in with it a moment ago, or with a later one (RFC 6238 §5.2). */
export const codeUsed = () =>
  new Problem({
    code: 'sign_in.code_used',
    kind: 'invalid',
    message: 'That code was used already. Wait for the next one.',
  });

export const tooManyFromNetwork = (retryAfterSeconds: number) =>
  new Problem({
    code: 'sign_in.too_many',
    kind: 'limited',
    message: 'Too many tries came from your network. Please wait a moment, then try again.',
    retryAfterSeconds,
  });

/** An app that is unknown, disabled, or does not offer this: nothing is revealed. */
export const nothingHere = () =>
  new Problem({ code: 'request.not_found', kind: 'not_found', message: 'There is nothing here.' });
