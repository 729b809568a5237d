import type { Api } from './api.ts';

export function presentApi(api: Api) {
  return {
    api_id: api.apiId,
    app_id: api.appId,
    identifier: api.identifier,
    name: api.name,
    scopes: api.scopes.map(({ name, description, default: given }) => ({
      name,
      description,
      default: given,
    })),
    access_token_ttl: api.accessTokenTtl ?? null,
    server_clients: api.serverClients,
    created_at: api.createdAt.toISOString(),
    updated_at: api.updatedAt.toISOString(),
  };
}

/** Protected resource metadata (RFC 9728 §2) for an API to publish as its own. `issuer` is the app's own. */
export function resourceMetadata(api: Api, issuer: string) {
  return {
    resource: api.identifier,
    resource_name: api.name,
    authorization_servers: [issuer],
    scopes_supported: api.scopes.map((scope) => scope.name),
    bearer_methods_supported: ['header'],
  };
}
