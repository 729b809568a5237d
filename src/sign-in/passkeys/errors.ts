import { Problem } from '../../kernel/problem.ts';

export const passkeyRefused = (cause?: unknown) =>
  new Problem({
    code: 'passkeys.refused',
    kind: 'invalid',
    message: 'That passkey could not be added. Please try once more.',
    cause,
  });

export const attestationNotAllowed = () =>
  new Problem({
    code: 'passkeys.attestation_not_allowed',
    kind: 'invalid',
    message: 'This app does not accept passkeys of that kind of device. Please use another one.',
  });

export const passkeyTaken = () =>
  new Problem({
    code: 'passkeys.taken',
    kind: 'conflict',
    message: 'This passkey is registered already.',
  });

export const tooManyPasskeys = () =>
  new Problem({
    code: 'passkeys.too_many',
    kind: 'conflict',
    message: 'There are as many passkeys as an account can have. Remove one first.',
  });

export const challengeOver = () =>
  new Problem({
    code: 'passkeys.too_late',
    kind: 'expired',
    message: 'That took too long. Please try once more.',
  });

export const lastWayIn = () =>
  new Problem({
    code: 'passkeys.last_way_in',
    kind: 'conflict',
    message: 'This is the only way into the account. Add another one before removing it.',
  });
