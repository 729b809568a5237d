import type { Context } from 'koa';
import { assertionAlgorithms } from '../apps/authentication-settings.ts';
import type { AppRegistry } from '../apps/registry.ts';
import { claimsByScope } from './account.ts';
import { authMethodsHere, type MutualTls } from './client-authentication.ts';
import { standardScopes } from './client-metadata.ts';
import { featureDiscovery } from './features/features.ts';
import { deviceGrant } from './features/device-flow.ts';
import { exchangeGrant } from './features/token-exchange.ts';
import { protocolRoutes } from './issuers.ts';
import { subjectTypes } from './subject.ts';
import { algorithmsOf, publicJwkOf } from './signing-key.ts';

type Deps = { baseUrl: string; registry: AppRegistry; jwksMaxAge: number; mtls: MutualTls };

/** The shared issuer's metadata (OIDC Discovery §3, RFC 8414): fixed. What any app may use, never an app's names. */
export async function sharedDiscovery(ctx: Context, deps: Deps): Promise<void> {
  const { baseUrl, registry, jwksMaxAge, mtls } = deps;
  if (!readOnly(ctx)) return;
  const { published } = await registry.lastKnownDeploymentKeys();
  const at = (path: string): string => baseUrl + path;
  publish(ctx, jwksMaxAge, {
    issuer: baseUrl,
    authorization_endpoint: at(protocolRoutes.authorization),
    token_endpoint: at(protocolRoutes.token),
    userinfo_endpoint: at(protocolRoutes.userinfo),
    introspection_endpoint: at(protocolRoutes.introspection),
    revocation_endpoint: at(protocolRoutes.revocation),
    device_authorization_endpoint: at(protocolRoutes.device_authorization),
    end_session_endpoint: at(protocolRoutes.end_session),
    jwks_uri: at(protocolRoutes.jwks),
    scopes_supported: standardScopes,
    claims_supported: [...new Set([...Object.values(claimsByScope).flat(), 'sid', 'iss'])],
    response_types_supported: ['code'],
    grant_types_supported: [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      deviceGrant,
      exchangeGrant,
    ],
    subject_types_supported: subjectTypes,
    id_token_signing_alg_values_supported: algorithmsOf(published),
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: authMethodsHere(mtls),
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    ...(mtls.selfSigned ? { tls_client_certificate_bound_access_tokens: true } : {}),
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    ...featureDiscovery(at, algorithmsOf(published)),
  });
}

/** Public halves of the shared issuer's keys (RFC 7517). */
export async function sharedKeys(ctx: Context, { registry, jwksMaxAge }: Deps): Promise<void> {
  if (!readOnly(ctx)) return;
  const { published } = await registry.lastKnownDeploymentKeys();
  publish(ctx, jwksMaxAge, { keys: published.map(publicJwkOf) });
}

function publish(ctx: Context, maxAge: number, document: object): void {
  ctx.set('access-control-allow-origin', '*');
  ctx.set('cache-control', `public, max-age=${maxAge}`);
  ctx.type = 'json';
  ctx.body = document;
}

function readOnly(ctx: Context): boolean {
  if (ctx.method === 'GET' || ctx.method === 'HEAD') return true;
  ctx.status = 405;
  ctx.set('allow', 'GET, HEAD, OPTIONS');
  ctx.body = { error: 'invalid_request', error_description: 'method not allowed' };
  return false;
}
