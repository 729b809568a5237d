import type { AdapterPayload } from 'oidc-provider';
import { type AppSnapshot, type Client, isRefreshBoundToSession, needsConsent } from '../../apps/app.ts';
import { newSecret } from '../../kernel/secret.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { codeAdapter } from '../adapters/code-adapter.ts';
import { canBeServed, type MutualTls } from '../client-authentication.ts';
import { standardScopes } from '../client-metadata.ts';
import { isBound } from './client.ts';
import type { Form } from './form.ts';

/** What the plainest authorization requests hold (RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1). */
export const PLAIN_PARAMETERS = [
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
] as const;

const SCOPES: ReadonlySet<string> = new Set(standardScopes);

/** A request for a code, of a client that asks nobody. */
export type Asked = { client: Client; redirectUri: string; scopes: readonly string[]; form: Form };

type At = { snapshot: AppSnapshot; mtls: MutualTls };

/** undefined: not of a client that may ask like this, or not for this. The form holds no parameter that means anything else. */
export function askedIn({ snapshot, mtls }: At, form: Form | undefined): Asked | undefined {
  if (form?.['response_type'] !== 'code' || !hasChallenge(form)) return undefined;
  const { app } = snapshot;
  const client = snapshot.clients.get(form['client_id'] ?? '');
  if (!client || client.type === 'service' || !canBeServed(app, client, mtls)) return undefined;
  if (isBound(client) || hasToPushOrSign(app.settings, client) || needsConsent(app, client)) return undefined;
  const { redirect_uri: redirectUri, scope } = form;
  if (redirectUri === undefined || !client.redirectUris.includes(redirectUri)) return undefined;
  const scopes = [...new Set(scope?.split(' '))];
  if (!scopes.includes('openid') || !scopes.every((one) => SCOPES.has(one))) return undefined;
  // It would be left out without a word.
  if (scopes.includes('offline_access') && client.settings.refresh_tokens === 'never') return undefined;
  return { client, redirectUri, scopes, form };
}

/** Of a SHA-256, the only one there is (RFC 7636 §4.2). */
const hasChallenge = ({ code_challenge: challenge, code_challenge_method: method }: Form): boolean =>
  method === 'S256' && challenge !== undefined && /^[A-Za-z0-9_-]{43}$/.test(challenge);

const hasToPushOrSign = (
  app: { require_pushed_authorization_requests: boolean },
  { settings }: Client,
): boolean =>
  app.require_pushed_authorization_requests ||
  settings.require_pushed_authorization_requests ||
  settings.require_signed_request_object;

/** Whoever is let in: by which session, as whom, how surely, and what of the scopes they allowed. */
export type Admitted = {
  sessionUid: unknown;
  sid: string;
  grantId: string;
  accountId: string;
  acr: unknown;
  amr: unknown;
  authTime: unknown;
  scope: string;
};

/** Draws a code for it and keeps what it stands for; the address that leads back with it (RFC 6749 §4.1.2, RFC 9207). */
export async function ledBack(at: AdapterDeps, asked: Asked, admitted: Admitted): Promise<string> {
  const { client, redirectUri, form } = asked;
  const { sid, ...known } = admitted;
  const endsWithSession = isRefreshBoundToSession(client);
  const isTold = client.settings.backchannel_logout_uri !== null;
  const code = newSecret();
  const { code_ttl: ttlSeconds } = at.snapshot.app.settings;
  const iat = epochSeconds();
  await codeAdapter(at).upsert(
    code,
    {
      iat,
      exp: iat + ttlSeconds,
      kind: 'AuthorizationCode',
      clientId: client.clientId,
      ...known,
      ...(endsWithSession ? { expiresWithSession: true } : {}),
      ...(endsWithSession || isTold ? { sid } : {}),
      nonce: form['nonce'],
      codeChallenge: form['code_challenge'],
      codeChallengeMethod: form['code_challenge_method'],
      redirectUri,
    } as AdapterPayload,
    ttlSeconds,
  );
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries({ code, state: form['state'], iss: at.issuerUrl }))
    if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}
