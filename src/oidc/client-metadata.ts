import { randomBytes } from 'node:crypto';
import type { AdapterPayload } from 'oidc-provider';
import { featureMetadata } from './features/features.ts';
import { deviceGrant, mayUseDevices } from './features/device-flow.ts';
import { exchangeGrant, mayAskForExchange } from './features/token-exchange.ts';
import { type App, authMethodOf, type Client, hasSecret } from '../apps/app.ts';

/** Scopes that have a meaning everywhere (OIDC Core §5.4, §11). */
export const standardScopes = ['openid', 'profile', 'email', 'phone', 'address', 'offline_access'] as const;

/**
 * Clients have several secrets, of which only digests are stored; the library wants one string. It never authenticates
 * anyone (see provider.ts) and, being random for each process, can not be used as an HMAC key by anyone either.
 */
const secretPlaceholder = randomBytes(32).toString('base64url');

/** An app's client in the library's terms (RFC 7591 §2). */
export function clientMetadata(app: App, client: Client): AdapterPayload {
  const service = client.type === 'service';
  return {
    client_id: client.clientId,
    client_name: client.name,
    // Only "native" allows loopback and private-use redirects; the registration has checked them per type.
    application_type: client.type === 'native' ? 'native' : 'web',
    redirect_uris: service ? [] : client.redirectUris,
    post_logout_redirect_uris: service ? [] : client.postLogoutRedirectUris,
    response_types: service ? [] : ['code'],
    grant_types: [
      ...(service ? ['client_credentials'] : ['authorization_code']),
      ...(service || client.settings.refresh_tokens === 'never' ? [] : ['refresh_token']),
      ...(mayUseDevices(app, client) ? [deviceGrant] : []),
      ...(mayAskForExchange(app, client) ? [exchangeGrant] : []),
    ],
    ...authenticationOf(client),
    scope: (service ? client.scopes : [...standardScopes, ...client.scopes]).join(' ') || undefined,
    ...featureMetadata(app, client),
    ...(client.settings.backchannel_logout_uri === null
      ? {}
      : {
          backchannel_logout_uri: client.settings.backchannel_logout_uri,
          backchannel_logout_session_required: client.settings.backchannel_logout_session_required,
        }),
    ...(app.settings.privacy_url ? { policy_uri: app.settings.privacy_url } : {}),
    ...(app.settings.terms_url ? { tos_uri: app.settings.terms_url } : {}),
  } as AdapterPayload;
}

/** How it proves who it is, with what is set and nothing else. */
function authenticationOf(client: Client): AdapterPayload {
  const { settings } = client;
  const method = authMethodOf(client);
  const expiresAt = client.secrets[0]?.expiresAt;
  const stated = {
    jwks: settings.jwks,
    jwks_uri: settings.jwks_uri,
    token_endpoint_auth_signing_alg:
      settings.token_endpoint_auth_signing_alg ?? (method === 'client_secret_jwt' ? 'HS256' : null),
    tls_client_auth_subject_dn: settings.tls_client_auth_subject_dn,
    tls_client_auth_san_dns: settings.tls_client_auth_san_dns,
    tls_client_auth_san_uri: settings.tls_client_auth_san_uri,
    tls_client_auth_san_ip: settings.tls_client_auth_san_ip,
    tls_client_auth_san_email: settings.tls_client_auth_san_email,
  };
  return {
    token_endpoint_auth_method: method,
    ...(hasSecret(client) ? { client_secret: secretPlaceholder } : {}),
    ...(method === 'client_secret_jwt' && client.hmacSecret !== undefined
      ? {
          client_secret: client.hmacSecret,
          ...(expiresAt ? { client_secret_expires_at: Math.floor(expiresAt.getTime() / 1000) } : {}),
        }
      : {}),
    ...(settings.tls_client_certificate_bound_access_tokens
      ? { tls_client_certificate_bound_access_tokens: true }
      : {}),
    ...Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== null)),
  } as AdapterPayload;
}
