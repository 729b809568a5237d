import {
  type Client as OidcClient,
  errors,
  type KoaContextWithOIDC,
  type ResourceServer,
} from 'oidc-provider';
import type { AppSnapshot, Client } from '../apps/app.ts';
import { type Api, apiOf, identifierKey, scopeNames } from '../apps/apis/api.ts';
import { standardScopes } from './client-metadata.ts';
import { protocolRoutes } from './issuers.ts';

type ServerInfo = Pick<ResourceServer, 'scope' | 'audience' | 'accessTokenFormat' | 'jwt'> & {
  accessTokenTTL?: number;
};

/** Where a request says for the first time what it wants, so that what it leaves out is filled in there and nowhere else. */
const ASKING = new Set(['authorization', 'device_authorization', 'pushed_authorization_request']);

/** Resource indicators (RFC 8707) of one app at one issuer: its APIs, our own userinfo endpoint, and nothing else. */
export function resourceHooks(snapshot: AppSnapshot, issuerUrl: string) {
  return {
    /** Without `resource` a token is for the app itself, as it always was. Several at once are not chosen between. */
    defaultResource: (_ctx: KoaContextWithOIDC, _client: OidcClient, oneOf?: readonly string[]) => oneOf,

    /** RFC 8707 §2.2: a token request that names none means the one that was authorized. */
    useGrantedResource: () => true,

    getResourceServerInfo(ctx: KoaContextWithOIDC, identifier: string, client: OidcClient): ServerInfo {
      const found = resourceOf({ snapshot, issuerUrl }, snapshot.clients.get(client.clientId), identifier);
      // The same for what does not exist, what is another app's and what this client may not have.
      if (!found) throw new errors.InvalidTarget();
      if (found.api && ctx.oidc.params && isAsking(ctx)) giveDefaults(ctx, found.api, found.info.scope ?? '');
      return found.info;
    },
  };
}

/** What a resource is to a client of the app; undefined: there is none for it. */
export function resourceOf(
  at: { snapshot: AppSnapshot; issuerUrl: string },
  client: Client | undefined,
  identifier: string,
): { api: Api | undefined; info: ServerInfo } | undefined {
  const { app, apis } = at.snapshot;
  // Signed by the key of the issuer, see clientDefaults.
  const jwt = { sign: {} };
  if (identifierKey(identifier) === at.issuerUrl + protocolRoutes.userinfo && client?.type !== 'service') {
    // RFC 9728 leads here: our own endpoint, whose tokens are those of the app.
    const scope = standardScopes.join(' ');
    return { api: undefined, info: { scope, audience: app.appId, accessTokenFormat: 'jwt', jwt } };
  }
  const api = apiOf(apis, identifier);
  const scopes = api && client && scopesFor(client, api);
  if (!scopes) return undefined;
  const info: ServerInfo = {
    scope: scopes.join(' '),
    audience: api.identifier,
    accessTokenFormat: 'jwt',
    jwt,
    accessTokenTTL: api.accessTokenTtl ?? app.settings.access_token_ttl,
  };
  return { api, info };
}

/** The scopes of an API that a client may ask for; undefined where it may not ask for the API at all. */
export function scopesFor(client: Client, api: Api): string[] | undefined {
  const given = client.settings.api_scopes;
  if (given === null) return client.type === 'service' ? undefined : scopeNames(api);
  const listed = Object.entries(given).find(
    ([identifier]) => identifierKey(identifier) === identifierKey(api.identifier),
  )?.[1];
  return listed && scopeNames(api).filter((name) => listed.includes(name));
}

const isAsking = (ctx: KoaContextWithOIDC): boolean =>
  ASKING.has(ctx.oidc.route) || ctx.oidc.params?.['grant_type'] === 'client_credentials';

/** RFC 6749 §3.3: a request without scopes gets those that the API gives by default. */
function giveDefaults(ctx: KoaContextWithOIDC, api: Api, allowed: string): void {
  const params = ctx.oidc.params!;
  if (params['scope'] !== undefined) return;
  const may = new Set(allowed.split(' '));
  const defaults = api.scopes.filter((scope) => scope.default && may.has(scope.name));
  if (defaults.length) params['scope'] = defaults.map((scope) => scope.name).join(' ');
}

export type AskedResource = { resource: string; api: Api | undefined; scopes: string[] };

/** What an authorization request wants of resources: each with those of its scopes that were asked for. */
export function askedResources(
  at: { snapshot: AppSnapshot; issuerUrl: string },
  client: Client,
  params: Readonly<Record<string, unknown>>,
): AskedResource[] {
  const wanted = new Set(String(params['scope'] ?? '').split(' '));
  return resourcesIn(params).flatMap((resource) => {
    const found = resourceOf(at, client, resource);
    if (!found) return [];
    const scopes = (found.info.scope ?? '').split(' ').filter((scope) => scope && wanted.has(scope));
    return [{ resource, api: found.api, scopes }];
  });
}

export const resourcesIn = (params: Readonly<Record<string, unknown>>): string[] =>
  [params['resource']].flat().filter((resource) => typeof resource === 'string');
