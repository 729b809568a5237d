import { apiChangeSchema, newApiSchema } from '../../../apps/apis/api-input.ts';
import { createApi, deleteApi, updateApi } from '../../../apps/apis/change-apis.ts';
import { apiNotFound } from '../../../apps/apis/errors.ts';
import { apiById, listApis } from '../../../apps/apis/operator-store.ts';
import { presentApi, resourceMetadata } from '../../../apps/apis/present.ts';
import { toApi } from '../../../apps/apis/store.ts';
import { everyApp } from '../../../apps/operator-store.ts';
import { requireApp } from '../apps/require-app.ts';
import type { AdminApiDeps } from '../deps.ts';
import { type Operation, operation } from '../operation.ts';
import { pageOf, pageOfSchema, pageQuery, window } from '../paging.ts';
import { apiParams, appParams } from '../params.ts';
import { apiWire, resourceMetadataWire } from './wire.ts';

const tag = 'APIs';

export function apiOperations(deps: AdminApiDeps): Operation[] {
  return [listing(deps), creation(deps), reading(deps), metadata(deps), change(deps), deletion(deps)];
}

async function requireApi(deps: AdminApiDeps, at: { app_id: string; api_id: string }) {
  await requireApp(deps, at.app_id);
  const row = await apiById(everyApp(deps.operatorDb), at.app_id, at.api_id);
  if (!row) throw apiNotFound();
  return toApi(row);
}

const listing = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/apis',
    id: 'listApis',
    tag,
    summary: 'List the APIs of an app',
    scope: 'apps:read',
    params: appParams,
    query: pageQuery,
    response: { status: 200, schema: pageOfSchema(apiWire) },
    async handle({ params, query }) {
      await requireApp(deps, params.app_id);
      const rows = await listApis(everyApp(deps.operatorDb), params.app_id, window(query));
      return pageOf(rows, query, { cursor: (row) => row.api_id, present: (row) => presentApi(toApi(row)) });
    },
  });

const creation = (deps: AdminApiDeps) =>
  operation({
    method: 'POST',
    path: '/apps/{app_id}/apis',
    id: 'createApi',
    tag,
    summary: 'Add an API: an audience with scopes of its own (RFC 8707)',
    scope: 'apps:write',
    params: appParams,
    body: newApiSchema,
    response: { status: 201, schema: apiWire },
    problems: [409],
    example: {
      identifier: 'https://orders.example',
      name: 'Orders',
      scopes: [{ name: 'orders:read', description: 'See your orders' }],
    },
    handle: async ({ params, body, by }) =>
      presentApi(await createApi(deps, { appId: params.app_id, by, input: body })),
  });

const reading = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/apis/{api_id}',
    id: 'getApi',
    tag,
    summary: 'Read an API',
    scope: 'apps:read',
    params: apiParams,
    response: { status: 200, schema: apiWire },
    handle: async ({ params }) => presentApi(await requireApi(deps, params)),
  });

const metadata = (deps: AdminApiDeps) =>
  operation({
    method: 'GET',
    path: '/apps/{app_id}/apis/{api_id}/resource-metadata',
    id: 'getApiResourceMetadata',
    tag,
    summary: 'The document for the API to publish as its protected resource metadata (RFC 9728)',
    scope: 'apps:read',
    params: apiParams,
    response: { status: 200, schema: resourceMetadataWire },
    handle: async ({ params }) =>
      resourceMetadata(await requireApi(deps, params), `${deps.baseUrl}/auth/${params.app_id}`),
  });

const change = (deps: AdminApiDeps) =>
  operation({
    method: 'PATCH',
    path: '/apps/{app_id}/apis/{api_id}',
    id: 'updateApi',
    tag,
    summary: 'Change an API; lists are replaced, the identifier stays',
    scope: 'apps:write',
    params: apiParams,
    body: apiChangeSchema,
    response: { status: 200, schema: apiWire },
    problems: [409],
    example: { access_token_ttl: 300 },
    handle: async ({ params, body, by }) =>
      presentApi(await updateApi(deps, { appId: params.app_id, apiId: params.api_id, by, input: body })),
  });

const deletion = (deps: AdminApiDeps) =>
  operation({
    method: 'DELETE',
    path: '/apps/{app_id}/apis/{api_id}',
    id: 'deleteApi',
    tag,
    summary: 'Delete an API; tokens for it are inactive at introspection at once',
    scope: 'apps:write',
    params: apiParams,
    handle: ({ params, by }) => deleteApi(deps, { appId: params.app_id, apiId: params.api_id, by }),
  });
