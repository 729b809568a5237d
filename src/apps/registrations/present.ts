import { authMethodOf, type Client } from '../app.ts';
import type { TokenRow } from './operator-store.ts';

/** What RFC 7591 §3.2.1 and RFC 7592 §3 answer: everything that holds, also what was not asked for. */
export function presentRegistration(
  client: Client,
  extra: { registrationUri: string; registrationToken: string; secret?: string | undefined },
) {
  const { settings, type } = client;
  const service = type === 'service';
  return {
    client_id: client.clientId,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    ...(extra.secret === undefined ? {} : { client_secret: extra.secret, client_secret_expires_at: 0 }),
    registration_client_uri: extra.registrationUri,
    registration_access_token: extra.registrationToken,
    client_name: client.name,
    application_type: type === 'native' ? 'native' : 'web',
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris,
    token_endpoint_auth_method: authMethodOf(client),
    grant_types: service
      ? ['client_credentials']
      : ['authorization_code', ...(settings.refresh_tokens === 'never' ? [] : ['refresh_token'])],
    response_types: service ? [] : ['code'],
    ...(settings.dpop_bound_access_tokens ? { dpop_bound_access_tokens: true } : {}),
    subject_type: settings.subject_type,
    ...(settings.sector_identifier_uri === null
      ? {}
      : { sector_identifier_uri: settings.sector_identifier_uri }),
    ...(client.scopes.length ? { scope: client.scopes.join(' ') } : {}),
    ...(settings.jwks ? { jwks: settings.jwks } : {}),
    ...(settings.jwks_uri === null ? {} : { jwks_uri: settings.jwks_uri }),
  };
}

export function presentToken(row: TokenRow) {
  return {
    token_id: row.token_id,
    name: row.name,
    uses_left: row.uses_left,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
  };
}
