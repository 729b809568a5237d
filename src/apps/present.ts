import { type App, appSettingsSchema, type Client, clientSettingsSchema, isConfidential } from './app.ts';
import type { SecretRow } from './clients/secrets/operator-store.ts';
import type { KeyStateRow } from './keys/shelf.ts';
import { originOfDomain } from './domains/domain-name.ts';
import { presentLogo } from './logo/present.ts';

/** An app with its first client's addresses, as operators see it. `domain`: where it is served instead of at BASE_URL. */
export function presentApp(app: App, client: Client, baseUrl: string, domain?: string) {
  return {
    app_id: app.appId,
    name: app.name,
    type: client.type,
    client_id: client.clientId,
    issuer: domain === undefined ? `${baseUrl}/auth/${app.appId}` : originOfDomain(baseUrl, domain),
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris,
    allowed_origins: client.allowedOrigins,
    logo: app.logo ? presentLogo(app.appId, app.logo) : null,
    settings: appSettingsSchema.parse(app.settings),
    built_in: app.builtIn,
    disabled: app.disabledAt !== undefined,
    created_at: app.createdAt.toISOString(),
    updated_at: app.updatedAt.toISOString(),
  };
}

export function presentClient(client: Client) {
  return {
    client_id: client.clientId,
    app_id: client.appId,
    name: client.name,
    type: client.type,
    confidential: isConfidential(client),
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris,
    allowed_origins: client.allowedOrigins,
    scopes: client.scopes,
    settings: clientSettingsSchema.parse(client.settings),
    disabled: client.disabledAt !== undefined,
    created_at: client.createdAt.toISOString(),
    updated_at: client.updatedAt.toISOString(),
  };
}

/** Never the digest. */
export function presentSecret(secret: SecretRow) {
  return {
    secret_id: secret.secret_id,
    created_at: secret.created_at.toISOString(),
    expires_at: secret.expires_at?.toISOString() ?? null,
  };
}

/** Keys of one owner as they were listed: the newest live one whose time has come signs. */
export function presentKeys(rows: readonly KeyStateRow[]) {
  const signing = rows.find((row) => row.active && !row.retired);
  return rows.map((row) => presentKey(row, row === signing));
}

export function presentKey(key: KeyStateRow, signing: boolean) {
  return {
    kid: key.key_id,
    algorithm: key.algorithm,
    status: statusOf(key, signing),
    public_jwk: key.public_jwk,
    created_at: key.created_at.toISOString(),
    active_at: key.active_at.toISOString(),
    retires_at: (key.retired_at ?? key.retires_at)?.toISOString() ?? null,
  };
}

function statusOf(key: KeyStateRow, signing: boolean) {
  if (key.compromised_at) return 'compromised' as const;
  if (key.retired) return 'retired' as const;
  if (signing) return 'signing' as const;
  return key.active ? ('verifying' as const) : ('next' as const);
}
