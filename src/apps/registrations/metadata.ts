import { z } from 'zod';
import { type App, clientSettingsSchema, type ClientType } from '../app.ts';
import type { AuthMethod } from '../authentication-settings.ts';
import { type ClientFacts, displayName, requireSoundClient } from '../clients/client-input.ts';
import { findUnstorable } from '../../kernel/unstorable-text.ts';
import { metadataInvalid } from './errors.ts';

const uris = z.array(z.string().min(1).max(2048)).max(20).optional();

/** Client metadata (RFC 7591 §2) that means something here. What else is sent is left unread, as §2 wants it. */
const metadataSchema = z.object({
  client_name: displayName.optional(),
  redirect_uris: uris,
  post_logout_redirect_uris: uris,
  token_endpoint_auth_method: z
    .enum(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'])
    .optional(),
  token_endpoint_auth_signing_alg: z.string().max(20).optional(),
  grant_types: z.array(z.string().max(100)).max(10).optional(),
  response_types: z.array(z.string().max(100)).max(10).optional(),
  application_type: z.enum(['web', 'native']).optional(),
  scope: z.string().max(2000).optional(),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(10) }).optional(),
  jwks_uri: z.string().max(2048).optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  subject_type: z.enum(['public', 'pairwise']).optional(),
  sector_identifier_uri: z.string().max(2048).optional(),
});
type Metadata = z.output<typeof metadataSchema>;

/** A client as it wants to be, within what the app allows. */
export type WantedClient = ClientFacts & { name: string; grantTypes: string[] };

/**
 * Reads what a client says about itself by the rules that hold for clients of operators, and then some: third-party, with
 * PKCE, with no grant and no scope beyond what the app allows. Throws Problems that name the member.
 */
export function readMetadata(app: App, kind: 'dynamic' | 'document', input: unknown): WantedClient {
  const result = metadataSchema.safeParse(input);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw metadataInvalid(issue!.path.join('.') || 'body', issue!.message);
  }
  const unfit = findUnstorable(input);
  if (unfit !== undefined) throw metadataInvalid(unfit || 'body', 'holds a character that is no text');
  const metadata = result.data;
  const grantTypes = grantTypesOf(app, kind, metadata);
  const service = grantTypes.includes('client_credentials');
  const method = methodOf(kind, metadata);
  const redirectUris = metadata.redirect_uris ?? [];
  if (!service && redirectUris.length === 0) throw metadataInvalid('redirect_uris', 'must name one');
  if (service && metadata.subject_type === 'pairwise')
    throw metadataInvalid('subject_type', 'means nothing to a client without users');
  const wanted: WantedClient = {
    name: metadata.client_name ?? nameFrom(redirectUris),
    grantTypes,
    type: service ? 'service' : typeOf(metadata, method),
    redirectUris,
    postLogoutRedirectUris: metadata.post_logout_redirect_uris ?? [],
    allowedOrigins: [],
    scopes: scopesOf(app, metadata),
    settings: settingsOf(app, { metadata, method, grantTypes }),
  };
  requireSoundClient(wanted);
  return wanted;
}

/** RFC 7591 §2: without a word, `client_secret_basic`. A document is public, so whoever has one has no secret. */
function methodOf(kind: 'dynamic' | 'document', metadata: Metadata): AuthMethod {
  const method =
    metadata.token_endpoint_auth_method ?? (kind === 'document' ? 'none' : 'client_secret_basic');
  if (kind === 'document' && method.startsWith('client_secret_'))
    throw metadataInvalid('token_endpoint_auth_method', 'can not be a shared secret');
  return method;
}

function grantTypesOf(app: App, kind: 'dynamic' | 'document', metadata: Metadata): string[] {
  const wanted = metadata.grant_types ?? ['authorization_code'];
  const mayServe = kind === 'dynamic' && app.settings.registered_clients.client_credentials;
  const allowed = ['authorization_code', 'refresh_token', ...(mayServe ? ['client_credentials'] : [])];
  const refused = wanted.find((type) => !allowed.includes(type));
  if (refused !== undefined)
    throw metadataInvalid('grant_types', `${refused.slice(0, 60)} is not allowed here`);
  if (wanted.includes('client_credentials')) {
    if (wanted.length > 1) throw metadataInvalid('grant_types', 'client_credentials stands alone');
    if (metadata.token_endpoint_auth_method === 'none')
      throw metadataInvalid('token_endpoint_auth_method', 'must not be none for client_credentials');
    return wanted;
  }
  if (!wanted.includes('authorization_code'))
    throw metadataInvalid('grant_types', 'must hold authorization_code');
  if ((metadata.response_types ?? ['code']).some((type) => type !== 'code'))
    throw metadataInvalid('response_types', 'can only be code');
  return [...new Set(wanted)];
}

/** OpenID Connect Registration §2: web without a word; a scheme of its own says native as clearly. */
function typeOf(metadata: Metadata, method: AuthMethod): ClientType {
  const hasOwnScheme = (metadata.redirect_uris ?? []).some((uri) => !/^https?:/i.test(uri));
  if (metadata.application_type === 'native' || (metadata.application_type === undefined && hasOwnScheme))
    return 'native';
  return method === 'none' ? 'spa' : 'web';
}

/** RFC 7591 §2: the server may give less than was asked for. */
function scopesOf(app: App, { scope }: Metadata): string[] {
  const { scopes } = app.settings.registered_clients;
  if (scope === undefined) return scopes;
  const wanted = new Set(scope.split(' '));
  return scopes.filter((one) => wanted.has(one));
}

function settingsOf(
  app: App,
  { metadata, method, grantTypes }: { metadata: Metadata; method: AuthMethod; grantTypes: string[] },
): Record<string, unknown> {
  const keyed = method === 'private_key_jwt';
  const settings = {
    first_party: false,
    token_endpoint_auth_method: method,
    subject_type: metadata.subject_type ?? 'public',
    sector_identifier_uri: metadata.sector_identifier_uri ?? null,
    refresh_tokens: grantTypes.includes('refresh_token') ? 'on_offline_access' : 'never',
    api_scopes: app.settings.registered_clients.api_scopes,
    // RFC 9449 §5.2
    ...(metadata.dpop_bound_access_tokens ? { dpop_bound_access_tokens: true } : {}),
    ...(keyed && metadata.token_endpoint_auth_signing_alg
      ? { token_endpoint_auth_signing_alg: metadata.token_endpoint_auth_signing_alg }
      : {}),
    ...(keyed && metadata.jwks ? { jwks: { keys: metadata.jwks.keys } } : {}),
    ...(keyed && metadata.jwks_uri !== undefined ? { jwks_uri: metadata.jwks_uri } : {}),
  };
  const result = clientSettingsSchema.safeParse(settings);
  if (result.success) return settings;
  const [issue] = result.error.issues;
  throw metadataInvalid(issue!.path.join('.'), issue!.message);
}

function nameFrom([first]: string[]): string {
  const url = first !== undefined && URL.canParse(first) ? new URL(first) : undefined;
  return (url?.host || url?.protocol.replace(/:$/, '') || 'Client').slice(0, 100);
}
