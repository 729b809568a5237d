import { randomBytes } from 'node:crypto';
import type { AdapterPayload } from 'oidc-provider';
import { pushedRequestMetadata } from './features/pushed-requests.ts';
import { type App, type Client, isConfidential } from '../apps/app.ts';

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
  const confidential = isConfidential(client);
  return {
    client_id: client.clientId,
    client_name: client.name,
    // Only "native" allows loopback and private-use redirects; the registration has checked them per type.
    application_type: client.type === 'native' ? 'native' : 'web',
    redirect_uris: service ? [] : client.redirectUris,
    post_logout_redirect_uris: service ? [] : client.postLogoutRedirectUris,
    response_types: service ? [] : ['code'],
    grant_types: service
      ? ['client_credentials']
      : ['authorization_code', ...(client.settings.refresh_tokens === 'never' ? [] : ['refresh_token'])],
    token_endpoint_auth_method: confidential
      ? (client.settings.token_endpoint_auth_method ?? 'client_secret_basic')
      : 'none',
    ...(confidential ? { client_secret: secretPlaceholder } : {}),
    scope: (service ? client.scopes : [...standardScopes, ...client.scopes]).join(' ') || undefined,
    ...pushedRequestMetadata(app, client),
    id_token_signed_response_alg: 'RS256',
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
