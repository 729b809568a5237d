import { Problem } from '../../kernel/problem.ts';

export const clientNotFound = () =>
  new Problem({
    code: 'clients.not_found',
    kind: 'not_found',
    message: 'There is no such client in this app.',
  });

export const redirectUriInvalid = (field: string, reason: string) =>
  new Problem({
    code: 'clients.redirect_uri_invalid',
    kind: 'invalid',
    message: `${field}: ${reason}`,
    field,
  });

export const originInvalid = (field: string) =>
  new Problem({
    code: 'clients.origin_invalid',
    kind: 'invalid',
    message: `${field}: an origin is https://host[:port], or http:// on a loopback address, and nothing more`,
    field,
  });

export const valueNotForType = (field: string, reason: string) =>
  new Problem({ code: 'clients.not_for_type', kind: 'invalid', message: `${field}: ${reason}`, field });

export const scopeInvalid = (reason: string) =>
  new Problem({
    code: 'clients.scope_invalid',
    kind: 'invalid',
    message: `scopes: ${reason}`,
    field: 'scopes',
  });

export const firstClient = () =>
  new Problem({
    code: 'clients.first_client',
    kind: 'conflict',
    message: 'This client is the app itself. It goes with the app and is disabled with the app.',
  });

export const secretNotFound = () =>
  new Problem({ code: 'secrets.not_found', kind: 'not_found', message: 'This client has no such secret.' });

export const tooManySecrets = (most: number) =>
  new Problem({
    code: 'secrets.too_many',
    kind: 'conflict',
    message: `A client has at most ${most} live secrets. Revoke one first.`,
  });

export const publicClient = () =>
  new Problem({
    code: 'secrets.public_client',
    kind: 'conflict',
    message: 'This client does not authenticate with a secret, so it has none.',
  });

export const oneSecretOnly = () =>
  new Problem({
    code: 'secrets.one_only',
    kind: 'conflict',
    message:
      'A client that signs with its secret (client_secret_jwt) has exactly one; rotating it ends the old one at once.',
  });

/** Settings of a client that do not go together, or a value that is wrong in itself. */
export const settingUnfit = (setting: string, reason: string) =>
  new Problem({
    code: 'clients.setting_unfit',
    kind: 'invalid',
    message: `settings.${setting}: ${reason}`,
    field: `settings.${setting}`,
  });

/** A sector that the client can not have, or that does not know it. */
export const sectorUnfit = (field: string, reason: string) =>
  new Problem({ code: 'clients.sector_unfit', kind: 'invalid', message: `${field}: ${reason}`, field });

export const sectorUnreadable = (reason: string, cause?: unknown) =>
  new Problem({
    code: 'clients.sector_unreadable',
    kind: 'invalid',
    message: `settings.sector_identifier_uri: the document ${reason}`,
    field: 'settings.sector_identifier_uri',
    cause,
  });
