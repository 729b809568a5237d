import type { Context, Middleware } from 'koa';
import type { Api } from '../apps/apis/api.ts';
import { resourceMetadata } from '../apps/apis/present.ts';
import { type AppRegistry, isAppId } from '../apps/registry.ts';
import { type Site, stateOf } from '../http/request-state.ts';
import { answering, routesNamed } from '../http/route-table.ts';
import { standardScopes } from './client-metadata.ts';
import { issuerUrl, protocolRoutes } from './issuers.ts';
import { homeIssuer, serviceAt } from './served.ts';

type Deps = { baseUrl: string; registry: AppRegistry };

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** Where the metadata of an issuer's userinfo endpoint is: the well-known part goes before the path (RFC 9728 §3.1). */
export function userinfoMetadataUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer + protocolRoutes.userinfo);
  return origin + WELL_KNOWN + pathname;
}

/** A challenge that says where to learn which authorization server to ask (RFC 9728 §5.1). */
export const withResourceMetadata = (challenge: string, issuer: string): string =>
  `${challenge}${challenge.includes('=') ? ', ' : ' '}resource_metadata="${userinfoMetadataUrl(issuer)}"`;

const ROUTES = [
  // the shared issuer's userinfo endpoint, an app's own, and what an API of the app may publish as its own
  `GET ${WELL_KNOWN}/userinfo`,
  `GET ${WELL_KNOWN}/auth/:app_id/userinfo`,
  'GET /auth/:app_id/apis/:api_id/oauth-protected-resource',
];

/** Metadata of protected resources, ours and of apps' APIs: public, the same for everyone. */
export function protectedResources(deps: Deps): Middleware {
  return answering(async (ctx, next) => {
    const found = /^(\/\.well-known\/oauth-protected-resource)(?:\/auth\/([^/]+))?\/userinfo$/.exec(ctx.path);
    const api = /^\/auth\/([^/]+)\/apis\/([^/]+)\/oauth-protected-resource$/.exec(ctx.path);
    if (!found && !api) return next();
    stateOf(ctx).route = found
      ? `${WELL_KNOWN}/:resource`
      : '/auth/:app_id/apis/:api_id/oauth-protected-resource';
    const document = found
      ? await metadataOfUserinfo(deps, found[2], stateOf(ctx).site)
      : await metadataOfApi(deps, api![1]!, api![2]!);
    if (!document) return next();
    publish(ctx, document);
  }, routesNamed(ROUTES));
}

async function metadataOfUserinfo(
  { baseUrl, registry }: Deps,
  appId: string | undefined,
  site: Site | undefined,
) {
  const snapshot = appId !== undefined && isAppId(appId) ? await registry.lastKnown(appId) : undefined;
  const isServed = snapshot && serviceAt(baseUrl, snapshot, 'own') !== 'nothing';
  if (appId !== undefined && !isServed) return undefined;
  // At the domain of an app there is no other issuer than its origin.
  const issuer = appId === undefined ? (site?.origin ?? baseUrl) : issuerUrl(baseUrl, appId, 'own');
  return {
    resource: issuer + protocolRoutes.userinfo,
    authorization_servers: [issuer],
    scopes_supported: standardScopes,
    bearer_methods_supported: ['header', 'body'],
  };
}

async function metadataOfApi({ baseUrl, registry }: Deps, appId: string, apiId: string) {
  const snapshot = isAppId(appId) ? await registry.lastKnown(appId) : undefined;
  const api = [...(snapshot?.apis.values() ?? [])].find((one: Api) => one.apiId === apiId);
  return api && resourceMetadata(api, issuerUrl(baseUrl, appId, homeIssuer(baseUrl, snapshot!)));
}

/** Public documents, for clients that run in browsers too. */
function publish(ctx: Context, document: object): void {
  ctx.set('access-control-allow-origin', '*');
  if (ctx.method === 'OPTIONS') {
    ctx.status = 204;
    ctx.set('access-control-allow-methods', 'GET');
    ctx.set(
      'access-control-allow-headers',
      ctx.get('access-control-request-headers') || 'mcp-protocol-version',
    );
    return;
  }
  if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
    ctx.status = 405;
    ctx.set('allow', 'GET, HEAD, OPTIONS');
    ctx.body = { error: 'invalid_request', error_description: 'method not allowed' };
    return;
  }
  ctx.set('cache-control', 'public, max-age=300');
  ctx.type = 'json';
  ctx.body = document;
}
