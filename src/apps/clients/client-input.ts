import { z } from 'zod';
import { type ClientType, clientSettingsSchema, clientTypes, isConfidential } from '../app.ts';
import { sparse } from '../settings.ts';
import { requireSoundAuthentication } from './authentication.ts';
import { scopeInvalid, valueNotForType } from './errors.ts';
import { requireSoundSector } from './sector.ts';
import { requireOrigins, requireRedirectUris, requireWebUri } from './redirect-uris.ts';

/** A name for people: one line, no control or direction-override characters. */
export const displayName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+$/u, 'must be one line of plain text');

const uris = z.array(z.string().min(1).max(2048)).max(100);

/** What the app's first client takes from the app's own resource. */
export const firstClientFields = {
  redirect_uris: uris.optional(),
  post_logout_redirect_uris: uris.optional(),
  allowed_origins: z.array(z.string().min(1).max(300)).max(100).optional(),
};

const clientFields = {
  ...firstClientFields,
  scopes: z.array(z.string().min(1).max(128)).max(100).optional(),
  settings: (
    sparse(clientSettingsSchema) as z.ZodType<Record<string, unknown>, Record<string, unknown>>
  ).optional(),
};

export const newClientSchema = z.strictObject({
  name: displayName,
  type: z.enum(clientTypes),
  ...clientFields,
  /** Seconds until the first secret expires; without it, it lives until it is revoked. */
  secret_expires_in: z
    .int()
    .min(60)
    .max(10 * 366 * 86_400)
    .optional(),
});
export type NewClientInput = z.output<typeof newClientSchema>;

export const clientChangeSchema = z.strictObject({
  name: displayName.optional(),
  ...clientFields,
  disabled: z.boolean().optional(),
});
export type ClientChangeInput = z.output<typeof clientChangeSchema>;

export type ClientFacts = {
  type: ClientType;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  allowedOrigins: string[];
  scopes: string[];
  settings: Record<string, unknown>;
};

/** What the standard gives a meaning of its own: not to be handed out as a scope of an app. */
export const STANDARD_SCOPES: ReadonlySet<string> = new Set([
  'openid',
  'offline_access',
  'profile',
  'email',
  'phone',
  'address',
]);

/** The rules between a client's values. Throws Problems that name the field. */
export function requireSoundClient(client: ClientFacts): void {
  const { type } = client;
  if (type === 'service') {
    for (const [field, list] of Object.entries({
      redirect_uris: client.redirectUris,
      post_logout_redirect_uris: client.postLogoutRedirectUris,
      allowed_origins: client.allowedOrigins,
    })) {
      if (list.length) throw valueNotForType(field, 'a service account has no browser to send anywhere');
    }
  }
  requireRedirectUris(type, 'redirect_uris', client.redirectUris);
  requireRedirectUris(type, 'post_logout_redirect_uris', client.postLogoutRedirectUris);
  requireOrigins('allowed_origins', client.allowedOrigins);
  requireScopes(client.scopes);
  requireSoundSettings(type, client.settings);
  requireSoundSector({ ...client, settings: clientSettingsSchema.parse(client.settings) });
}

function requireScopes(scopes: string[]): void {
  for (const [i, scope] of scopes.entries()) {
    // scope-token, RFC 6749 §3.3
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
      throw scopeInvalid(`${scope} is not a scope (RFC 6749 §3.3)`);
    if (STANDARD_SCOPES.has(scope)) throw scopeInvalid(`${scope} is a standard scope and needs no listing`);
    if (scopes.indexOf(scope) !== i) throw scopeInvalid(`${scope} appears twice`);
  }
}

function requireSoundSettings(type: ClientType, raw: Record<string, unknown>): void {
  const settings = clientSettingsSchema.parse(raw);
  requireSoundAuthentication(type, settings);
  if (type === 'service' && settings.return_uris.length)
    throw valueNotForType('settings.return_uris', 'a service account has no browser to send anywhere');
  requireRedirectUris(type, 'settings.return_uris', settings.return_uris);
  const logoutUri = settings.backchannel_logout_uri;
  if (logoutUri !== null) {
    if (type === 'service')
      throw valueNotForType('settings.backchannel_logout_uri', 'a service account has no sessions');
    requireWebUri('settings.backchannel_logout_uri', logoutUri);
  }
  if (settings.device_authorization && type !== 'native')
    throw valueNotForType(
      'settings.device_authorization',
      'only a native client runs on a device of its own',
    );
  if (settings.token_exchange && !isConfidential({ type, settings }))
    throw valueNotForType('settings.token_exchange', 'only a confidential client can be trusted with it');
  // RFC 9700 §2.1.1: public clients must use PKCE.
  if (!settings.pkce_required && !isConfidential({ type, settings })) {
    throw valueNotForType('settings.pkce_required', 'only a client with a secret can do without PKCE');
  }
}
