import { Problem } from '../../kernel/problem.ts';

export const apiNotFound = () =>
  new Problem({ code: 'apis.not_found', kind: 'not_found', message: 'This app has no such API.' });

export const identifierTaken = () =>
  new Problem({
    code: 'apis.identifier_taken',
    kind: 'conflict',
    message: 'An API of this deployment has this identifier. An identifier belongs to one app.',
    field: 'identifier',
  });

export const identifierInvalid = (reason: string) =>
  new Problem({
    code: 'apis.identifier_invalid',
    kind: 'invalid',
    message: `identifier: ${reason}`,
    field: 'identifier',
  });

export const apiScopeInvalid = (reason: string) =>
  new Problem({ code: 'apis.scope_invalid', kind: 'invalid', message: `scopes: ${reason}`, field: 'scopes' });

export const scopeIsPlain = (names: string[]) =>
  new Problem({
    code: 'apis.scope_in_use',
    kind: 'conflict',
    message: `${names.join(', ')}: a client of this app has this as a plain scope. Take it from the client first, or choose another name.`,
    field: 'scopes',
  });

export const serverClientInvalid = (clientId: string) =>
  new Problem({
    code: 'apis.server_client_invalid',
    kind: 'invalid',
    message: `server_clients: ${clientId} is not a confidential client of this app`,
    field: 'server_clients',
  });

export const scopeOfApi = (names: string[]) =>
  new Problem({
    code: 'clients.scope_of_api',
    kind: 'conflict',
    message: `${names.join(', ')}: an API of this app has this scope. Give it with settings.api_scopes.`,
    field: 'scopes',
  });
