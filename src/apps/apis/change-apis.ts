import { newId } from '../../kernel/id.ts';
import type { Transaction } from '../../storage/database.ts';
import { type ClientType, clientSettingsSchema, isConfidential } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { type Api, identifierKey } from './api.ts';
import { type ApiChangeInput, type NewApiInput, requireApiScopes, requireIdentifier } from './api-input.ts';
import { apiNotFound, identifierTaken, scopeIsPlain, serverClientInvalid } from './errors.ts';
import {
  apiById,
  type ApiValues,
  claimIdentifier,
  clientsAmong,
  deleteApi as removeApi,
  insertApi,
  plainScopesAmong,
  writeApi,
} from './operator-store.ts';
import { toApi } from './store.ts';

/** An API of an app. Problem `apis.identifier_taken` when any app of the deployment has this identifier. */
export function createApi(
  deps: AppsDeps & { baseUrl: string },
  change: AppChange & { input: NewApiInput },
): Promise<Api> {
  const { appId, input } = change;
  requireIdentifier(input.identifier, deps.baseUrl);
  return changeApp(deps, change, async (tx) => {
    const api = {
      appId,
      apiId: newId('api'),
      name: input.name,
      scopes: input.scopes ?? [],
      accessTokenTtl: input.access_token_ttl ?? null,
      serverClients: input.server_clients ?? [],
    };
    await requireSoundApi(tx, api);
    const key = identifierKey(input.identifier);
    if (!(await claimIdentifier(tx, { key, appId, apiId: api.apiId }))) throw identifierTaken();
    await insertApi(tx, { ...api, identifier: input.identifier });
    const result = toApi((await apiById(tx, appId, api.apiId))!);
    return {
      result,
      event: 'api.created',
      details: { api_id: api.apiId, identifier: input.identifier },
    };
  });
}

/** What is absent stays. Scopes that go are no longer in any token made from now on. */
export function updateApi(
  deps: AppsDeps,
  change: AppChange & { apiId: string; input: ApiChangeInput },
): Promise<Api> {
  const { appId, apiId, input } = change;
  return changeApp(deps, change, async (tx) => {
    const row = await apiById(tx, appId, apiId);
    if (!row) throw apiNotFound();
    const api = {
      appId,
      apiId,
      name: input.name ?? row.name,
      scopes: input.scopes ?? row.scopes,
      accessTokenTtl: input.access_token_ttl === undefined ? row.access_token_ttl : input.access_token_ttl,
      serverClients: input.server_clients ?? row.server_clients,
    };
    await requireSoundApi(tx, { ...api, serverClients: input.server_clients ?? [] });
    await writeApi(tx, api);
    const result = toApi((await apiById(tx, appId, apiId))!);
    return { result, event: 'api.updated', details: { api_id: apiId, changed: Object.keys(input) } };
  });
}

/** No more tokens for it; those that are out are inactive at our introspection at once. */
export function deleteApi(deps: AppsDeps, change: AppChange & { apiId: string }): Promise<void> {
  const { appId, apiId } = change;
  return changeApp(deps, change, async (tx) => {
    const row = await apiById(tx, appId, apiId);
    if (!row) throw apiNotFound();
    await removeApi(tx, appId, apiId);
    return {
      result: undefined,
      event: 'api.deleted',
      details: { api_id: apiId, identifier: row.identifier },
    };
  });
}

async function requireSoundApi(tx: Transaction, api: ApiValues): Promise<void> {
  requireApiScopes(api.scopes);
  // One name, one meaning: else a plain scope of one client could be had from an API by another, or the reverse.
  const plain = await plainScopesAmong(
    tx,
    api.appId,
    api.scopes.map((scope) => scope.name),
  );
  if (plain.length) throw scopeIsPlain(plain);
  const known = await clientsAmong(tx, api.appId, api.serverClients);
  for (const clientId of api.serverClients) {
    const client = known.find((one) => one.client_id === clientId);
    const settings = clientSettingsSchema.parse(client?.settings ?? {});
    if (!client || !isConfidential({ type: client.type as ClientType, settings }))
      throw serverClientInvalid(clientId);
  }
}
