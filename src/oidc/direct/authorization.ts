import type { AdapterPayload } from 'oidc-provider';
import { type Client, isRefreshBoundToSession, needsConsent } from '../../apps/app.ts';
import { newSecret } from '../../kernel/secret.ts';
import { liveUser } from '../account.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { codeAdapter } from '../adapters/code-adapter.ts';
import { GrantAdapter } from '../adapters/grant-adapter.ts';
import { SessionAdapter } from '../adapters/session-adapter.ts';
import { canBeServed } from '../client-authentication.ts';
import { standardScopes } from '../client-metadata.ts';
import { grantedScopes } from './claims.ts';
import { isBound } from './client.ts';
import { type Form, plainFields } from './form.ts';
import { type Presented, sessionCookies, sessionIdIn } from './session-cookie.ts';

const FIELDS: ReadonlySet<string> = new Set([
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
]);
const SCOPES: ReadonlySet<string> = new Set(standardScopes);

/** Where the browser goes, and what it is given. */
export type Redirect = { location: string; cookies: string[] };

type Asked = { client: Client; redirectUri: string; scopes: readonly string[]; form: Form };

/**
 * A code for somebody who is signed in, at a client that asks nobody, for what it was given before (RFC 6749 §4.1.2, RFC
 * 7636 §4.4, RFC 9207). undefined: somebody has to be asked something, or the request is not this plain.
 */
export async function authorized(at: AdapterDeps, presented: Presented): Promise<Redirect | undefined> {
  const asked = askedIn(at, presented.query);
  if (!asked) return undefined;
  const sessionId = sessionIdIn(at, presented.cookies);
  if (sessionId === undefined) return undefined;
  const sessions = new SessionAdapter(at);
  const session = await sessions.find(sessionId);
  const known = session && (await knownHere(at, asked, session));
  if (!known) return undefined;
  const code = newSecret();
  const { code_ttl: ttlSeconds, session_idle_ttl: idleSeconds } = at.snapshot.app.settings;
  const iat = epochSeconds();
  await codeAdapter(at).upsert(code, { iat, exp: iat + ttlSeconds, ...known }, ttlSeconds);
  sessions.touch(sessionId);
  const url = new URL(asked.redirectUri);
  const { state } = asked.form;
  for (const [name, value] of Object.entries({ code, state, iss: at.issuerUrl }))
    if (value !== undefined) url.searchParams.set(name, value);
  const expires = new Date((iat + idleSeconds) * 1000);
  return { location: url.href, cookies: sessionCookies(at, sessionId, expires) };
}

/** undefined: not of a client that may ask like this, or not for this. */
function askedIn({ snapshot, mtls }: AdapterDeps, query: string): Asked | undefined {
  const form = plainFields(query, FIELDS);
  if (form?.['response_type'] !== 'code' || !hasChallenge(form)) return undefined;
  const { app } = snapshot;
  const client = snapshot.clients.get(form['client_id'] ?? '');
  if (!client || client.type === 'service' || !canBeServed(app, client, mtls)) return undefined;
  if (isBound(client) || hasToPushOrSign(snapshot.app.settings, client) || needsConsent(app, client))
    return undefined;
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

type Authorization = { sid?: unknown; grantId?: unknown; issuers?: unknown; persistsLogout?: unknown };

/** What the code stands for, if the session has been at this client, at this issuer, for as much. */
async function knownHere(
  at: AdapterDeps,
  { client, redirectUri, scopes, form }: Asked,
  session: AdapterPayload,
): Promise<AdapterPayload | undefined> {
  const { clientId } = client;
  const { accountId, acr, amr, loginTs, uid, transient } = session;
  const { sid, grantId, issuers, persistsLogout } = ((
    session.authorizations as Record<string, Authorization> | undefined
  )?.[clientId] ?? {}) as Authorization;
  if (!accountId || transient || typeof sid !== 'string' || typeof grantId !== 'string') return undefined;
  if (!Array.isArray(issuers) || !issuers.includes(at.issuerUrl)) return undefined;
  const endsWithSession = isRefreshBoundToSession(client);
  if (!endsWithSession && persistsLogout !== true) return undefined;
  const [user, grant] = await Promise.all([
    liveUser(at.db, at.appId, accountId),
    new GrantAdapter(at).find(grantId),
  ]);
  if (!user || grant?.accountId !== accountId || grant.clientId !== clientId) return undefined;
  const granted = grantedScopes(grant, scopes);
  if (granted?.length !== scopes.length) return undefined;
  const isTold = client.settings.backchannel_logout_uri !== null;
  return {
    kind: 'AuthorizationCode',
    clientId,
    sessionUid: uid,
    ...(endsWithSession ? { expiresWithSession: true } : {}),
    grantId,
    accountId,
    acr,
    amr,
    authTime: loginTs,
    nonce: form['nonce'],
    scope: granted.join(' '),
    ...(endsWithSession || isTold ? { sid } : {}),
    codeChallenge: form['code_challenge'],
    codeChallengeMethod: form['code_challenge_method'],
    redirectUri,
  } as AdapterPayload;
}
