import { clientChangeSchema, newClientSchema } from '../../../apps/clients/client-input.ts';
import { createClient } from '../../../apps/clients/create-client.ts';
import { deleteClient } from '../../../apps/clients/delete-client.ts';
import { clientNotFound } from '../../../apps/clients/errors.ts';
import { clientById, listClients } from '../../../apps/clients/operator-store.ts';
import { updateClient } from '../../../apps/clients/update-client.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { presentClient } from '../../../apps/present.ts';
import { toClient } from '../../../apps/registry.ts';
import type { AdminApiDeps } from '../deps.ts';
import { requireApp } from '../apps/require-app.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { appParams, clientParams } from '../params.ts';
import { clientWire, newClientWire } from './wire.ts';

const tag = 'Clients';

export function clientOperations(deps: AdminApiDeps): Operation[] {
  return [listing(deps), creation(deps), reading(deps), change(deps), deletion(deps)];
}

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/clients',
    id: 'listClients',
    tag,
    summary: 'List the clients of an app',
    scope: 'apps:read',
    params: appParams,
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(clientWire) },
    mayLag: () => true,
    async handle({ params, query, reads }) {
      await requireApp(deps, params.app_id);
      const rows = await listClients(reads.ofEveryApp, params.app_id, window(query));
      return pageOf(rows, query, {
        cursor: (row) => row.client_id,
        present: (row) => presentClient(toClient(row)),
      });
    },
  });

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: '/apps/{app_id}/clients',
    id: 'createClient',
    tag,
    summary: 'Add a client or a service account to an app',
    scope: 'apps:write',
    params: appParams,
    body: newClientSchema,
    response: { status: 201, schema: newClientWire },
    example: { name: 'Nightly export', type: 'service', scopes: ['orders:read'] },
    async handle({ params, body, by }) {
      const { client, secret } = await createClient(deps, { appId: params.app_id, by, input: body });
      return { ...presentClient(client), ...(secret === undefined ? {} : { client_secret: secret }) };
    },
  });

const reading = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/clients/{client_id}',
    id: 'getClient',
    tag,
    summary: 'Read a client',
    scope: 'apps:read',
    params: clientParams,
    response: { status: 200, schema: clientWire },
    async handle({ params }) {
      await requireApp(deps, params.app_id);
      const row = await clientById(everyApp(deps.operatorDb), params.app_id, params.client_id);
      if (!row) throw clientNotFound();
      return presentClient(toClient(row));
    },
  });

const change = (deps: AdminApiDeps) =>
  operation({
    method: 'PATCH',
    path: '/apps/{app_id}/clients/{client_id}',
    id: 'updateClient',
    tag,
    summary: 'Change a client; settings are merged, lists are replaced',
    scope: 'apps:write',
    params: clientParams,
    body: clientChangeSchema,
    response: { status: 200, schema: newClientWire },
    problems: [409],
    example: { redirect_uris: ['https://shop.example/callback'], settings: { first_party: false } },
    async handle({ params, body, by }) {
      const at = { appId: params.app_id, clientId: params.client_id };
      const { client, secret } = await updateClient(deps, { ...at, by, input: body });
      return { ...presentClient(client), ...(secret === undefined ? {} : { client_secret: secret }) };
    },
  });

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: '/apps/{app_id}/clients/{client_id}',
    id: 'deleteClient',
    tag,
    summary: 'Delete a client with its secrets and grants',
    scope: 'apps:write',
    params: clientParams,
    problems: [409],
    handle: ({ params, by }) => deleteClient(deps, { appId: params.app_id, clientId: params.client_id, by }),
  });
