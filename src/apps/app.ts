import { z } from 'zod';
import { type AuthMethod, clientAuthenticationSettings } from './authentication-settings.ts';
import { seconds } from '../kernel/duration.ts';
import { passwordSettings } from './password-settings.ts';
import { registrationSettings } from './registration-settings.ts';
import { signUpSettings } from './sign-up-settings.ts';
import { secondFactorSettings } from './second-factor-settings.ts';
import { passkeySettings } from './passkey-settings.ts';
import { appProtocolSettings, clientProtocolSettings } from './protocol-settings.ts';
import type { Apis } from './apis/api.ts';
import type { TokenHook } from './token-hook/hook.ts';
import { customClaimsSchema } from './claims/custom-claim.ts';
import { signingAlgorithms } from './keys/signer.ts';
import { MAX_TOKEN_TTL, type SigningKey } from './keys/signing-key.ts';
import type { AppDomain } from './domains/domain.ts';
import type { AppLogo } from './logo/logo.ts';

const lifetime = (fallback: number, max: number) => z.int().min(1).max(max).default(fallback);

/** Settings of an app, as on the wire. Every lifetime is in seconds. */
export const appSettingsSchema = z.strictObject({
  /** Whether the deployment's shared issuer serves this app. */
  shared_issuer: z.boolean().default(true),
  /** Which ways to sign in the hosted pages offer. */
  methods: z
    .strictObject({
      password: z.boolean().default(true),
      magic_link: z.boolean().default(true),
      /** Six digits by mail, typed in the same browser. */
      email_code: z.boolean().default(false),
      /** Apps on one host share the browser's list of passkeys (each is named after its app); a custom domain separates. */
      passkey: z.boolean().default(true),
    })
    .refine(
      (methods) => methods.password || methods.magic_link || methods.email_code,
      'at least one method must stay on',
    )
    .prefault({}),
  ...signUpSettings,
  /** Whether people may delete their own accounts on the account pages. */
  self_deletion: z.boolean().default(true),
  /** `first_party` clients skip it; `always` asks everyone. */
  consent: z.enum(['first_party_skips', 'always']).default('first_party_skips'),
  ...secondFactorSettings,
  ...passwordSettings,
  /** Brand colour of the hosted pages, `#rrggbb`; contrast is corrected. */
  accent_color: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/)
    .nullable()
    .default(null),
  privacy_url: z.httpUrl().nullable().default(null),
  terms_url: z.httpUrl().nullable().default(null),
  /** What signs tokens at the app's own issuer. A change publishes a key of the new algorithm first. */
  signing_algorithm: z.enum(signingAlgorithms).default('RS256'),
  /** A new signing key is made after so many days; null: only on demand. */
  key_rotation_days: z.int().min(1).max(3650).nullable().default(90),
  code_ttl: lifetime(60, 600),
  access_token_ttl: lifetime(10 * seconds.minute, MAX_TOKEN_TTL),
  id_token_ttl: lifetime(seconds.hour, MAX_TOKEN_TTL),
  refresh_idle_ttl: lifetime(14 * seconds.day, 400 * seconds.day),
  refresh_absolute_ttl: lifetime(90 * seconds.day, 400 * seconds.day),
  refresh_grace: z.int().min(0).max(60).default(10),
  session_idle_ttl: lifetime(12 * seconds.hour, 400 * seconds.day),
  session_absolute_ttl: lifetime(30 * seconds.day, 400 * seconds.day),
  interaction_ttl: lifetime(seconds.hour, seconds.day),
  magic_link_ttl: lifetime(10 * seconds.minute, seconds.hour),
  reset_ttl: lifetime(10 * seconds.minute, seconds.hour),
  email_verification_ttl: lifetime(seconds.day, 7 * seconds.day),
  invitation_ttl: lifetime(7 * seconds.day, 30 * seconds.day),
  ...passkeySettings,
  ...appProtocolSettings,
  ...registrationSettings,
  /** Claims of the app's own, from the profile and the metadata of its users. */
  custom_claims: customClaimsSchema.default([]),
});
export type AppSettings = z.output<typeof appSettingsSchema>;

export const clientTypes = ['web', 'spa', 'native', 'service'] as const;
export type ClientType = (typeof clientTypes)[number];

/** Settings of a client, as on the wire. What is null follows from the client's type. */
export const clientSettingsSchema = z.strictObject({
  /** A first-party client asks for no consent unless the app wants it from everyone. */
  first_party: z.boolean().default(true),
  /** PKCE is required of every client unless it says otherwise (RFC 9700 §2.1.1). Public clients can not. */
  pkce_required: z.boolean().default(true),
  refresh_tokens: z.enum(['on_offline_access', 'always', 'never']).default('on_offline_access'),
  /** Whether sign-out ends refresh tokens too. null: true for web and spa, false for native. */
  refresh_bound_to_session: z.boolean().nullable().default(null),
  ...clientAuthenticationSettings,
  ...clientProtocolSettings,
  /**
   * Which scopes of the app's APIs it may ask for, by identifier. null: for service accounts none, for clients that
   * act for a user all of them.
   */
  api_scopes: z
    .record(z.string().min(1).max(500), z.array(z.string().min(1).max(128)).max(100))
    .nullable()
    .default(null),
  /** Where else the account pages may lead back to, for `?client_id=&return_to=`; compared to the letter. */
  return_uris: z.array(z.string().min(1).max(2048)).max(100).default([]),
  /** Where the client is told that a session of its user has ended (OpenID Connect Back-Channel Logout 1.0); https. */
  backchannel_logout_uri: z.string().max(2048).nullable().default(null),
  /** Registered for the client's sake (§2.2): logout tokens always carry `sid`, and so do the ID tokens of a client with a logout URI. */
  backchannel_logout_session_required: z.boolean().default(false),
});
export type ClientSettings = z.output<typeof clientSettingsSchema>;

export type App = {
  appId: string;
  name: string;
  settings: AppSettings;
  /** What pages and mails show beside the name. */
  logo?: AppLogo | undefined;
  revision: number;
  builtIn: boolean;
  createdAt: Date;
  updatedAt: Date;
  disabledAt: Date | undefined;
};

export type ClientSecret = { secretId: string; digest: string; createdAt: Date; expiresAt: Date | undefined };

export type Client = {
  appId: string;
  clientId: string;
  name: string;
  type: ClientType;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  allowedOrigins: string[];
  /** Service accounts: the scopes they may ask for. Others: custom scopes beside the standard ones. */
  scopes: string[];
  settings: ClientSettings;
  createdAt: Date;
  updatedAt: Date;
  disabledAt: Date | undefined;
  /** How it came by itself; undefined: an operator made it. */
  registered?: 'dynamic' | 'document' | undefined;
  /** Live secrets only. */
  secrets: ClientSecret[];
  /** The secret itself, opened, of a client that signs with it (`client_secret_jwt`). Never leaves the process, never logged. */
  hmacSecret?: string | undefined;
};

/** Everything about an app that requests need, as of one revision. */
export type AppSnapshot = {
  app: App;
  clients: ReadonlyMap<string, Client>;
  /** Every key that was not compromised; ringAt says which one signs now. */
  keys: readonly SigningKey[];
  /** What its access tokens may be for beside the app itself. */
  apis: Apis;
  /** Where the app is served instead of at BASE_URL, if it has a domain of its own. */
  domain?: AppDomain | undefined;
  /** What its pairwise subjects are derived from; undefined as long as no client needs it. */
  subjectSalt: Buffer | undefined;
  /** What is asked before its tokens are issued. */
  tokenHook: TokenHook | undefined;
};

/** Where a person can start again: the app's own site, as far as we know one. */
export function siteOf(snapshot: AppSnapshot): string | undefined {
  if (!sites.has(snapshot)) sites.set(snapshot, siteFrom(snapshot));
  return sites.get(snapshot);
}

const sites = new WeakMap<AppSnapshot, string | undefined>();

function siteFrom({ app, clients }: AppSnapshot): string | undefined {
  const [uri] = clients.get(app.appId)?.redirectUris ?? [];
  if (uri === undefined || !URL.canParse(uri)) return undefined;
  const { protocol, origin } = new URL(uri);
  return protocol === 'https:' || protocol === 'http:' ? `${origin}/` : undefined;
}

export function authMethodOf(client: Pick<Client, 'type' | 'settings'>): AuthMethod {
  const byType = client.type === 'web' || client.type === 'service' ? 'client_secret_basic' : 'none';
  return client.settings.token_endpoint_auth_method ?? byType;
}

/** Whether the client can authenticate (RFC 6749 §2.1). */
export function isConfidential(client: Pick<Client, 'type' | 'settings'>): boolean {
  return authMethodOf(client) !== 'none';
}

/** Whether it authenticates with a secret that we gave it. */
export function hasSecret(client: Pick<Client, 'type' | 'settings'>): boolean {
  return authMethodOf(client).startsWith('client_secret_');
}

export function isRefreshBoundToSession(client: Pick<Client, 'type' | 'settings'>): boolean {
  return client.settings.refresh_bound_to_session ?? client.type !== 'native';
}

/** Whether this client's users see the consent page. */
export function needsConsent(app: App, client: Client): boolean {
  return app.settings.consent === 'always' || !client.settings.first_party;
}

/** Whether the client is only who it says it is: it came by itself, and has no secret of ours to show that it is the same one. */
export function isSelfAsserted(client: Client): boolean {
  return client.registered === 'document' || (client.registered === 'dynamic' && !isConfidential(client));
}
