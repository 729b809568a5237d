import type { AdapterPayload } from 'oidc-provider';
import type { Client } from '../../apps/app.ts';
import { digestOf, newSecret, sameSecret } from '../../kernel/secret.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { codeAdapter } from '../adapters/code-adapter.ts';
import { RefreshTokenAdapter } from '../adapters/refresh-token-adapter.ts';
import { SessionAdapter } from '../adapters/session-adapter.ts';
import { getsRefreshToken } from '../grant-hooks.ts';
import { refreshSeconds } from '../token-hooks.ts';
import { clientFields } from './client.ts';
import { type Form, holdsOnly } from './form.ts';
import { type Source, sourceOf, tokenAnswer, tokensFor } from './user-tokens.ts';

const GRANT_TYPE = 'authorization_code';
const FIELDS: ReadonlySet<string> = new Set([
  ...clientFields,
  'grant_type',
  'code',
  'redirect_uri',
  'code_verifier',
]);

/**
 * Redeems a code that lives, with its redirect URI and its verifier (RFC 6749 §4.1.3, RFC 7636 §4.6), while the session
 * lives that it is bound to: the adapter decides which redemption counts. undefined: it is worth nothing, was used
 * before, or is not this plain.
 */
export async function redeemed(
  at: AdapterDeps,
  client: Client,
  form: Form,
): Promise<Record<string, unknown> | undefined> {
  const { code, code_verifier: verifier, redirect_uri: redirectUri } = form;
  if (code === undefined || verifier === undefined || client.type === 'service') return undefined;
  if (!holdsOnly(form, FIELDS)) return undefined;
  const adapter = codeAdapter(at);
  const found = (await adapter.find(code)) ?? undefined;
  const source = await sourceOf(at, client, found);
  if (!source || source.payload['redirectUri'] !== redirectUri || !isProof(source.payload, verifier))
    return undefined;
  if (!(await isSessionAlive(at, source))) return undefined;
  const tokens = await tokensFor(at, source);
  if (!tokens) return undefined;
  await adapter.consume(code);
  const refreshToken = getsRefreshToken(client, new Set(source.scopes))
    ? await firstRefreshToken(at, source)
    : undefined;
  return tokenAnswer(tokens, refreshToken);
}

/** RFC 7636 §4.1, §4.6. */
function isProof({ codeChallenge, codeChallengeMethod }: AdapterPayload, verifier: string): boolean {
  if (codeChallengeMethod !== 'S256' || typeof codeChallenge !== 'string') return false;
  return /^[A-Za-z0-9._~-]{43,128}$/.test(verifier) && sameSecret(digestOf(verifier), codeChallenge);
}

/** The session that the code ends with still lives, is that person's, and still knows this grant. */
async function isSessionAlive(at: AdapterDeps, { client, grantId, payload }: Source): Promise<boolean> {
  if (!payload.expiresWithSession) return true;
  const session = await new SessionAdapter(at).findByUid(payload.sessionUid!);
  const authorizations = (session?.authorizations ?? {}) as Record<string, { grantId?: string }>;
  return session?.accountId === payload.accountId && authorizations[client.clientId]?.grantId === grantId;
}

/** What a refresh token remembers of the code that it was given for. */
const KEPT = [
  'accountId',
  'acr',
  'amr',
  'authTime',
  'claims',
  'clientId',
  'expiresWithSession',
  'grantId',
  'nonce',
  'resource',
  'scope',
  'sessionUid',
  'sid',
] as const;

async function firstRefreshToken(at: AdapterDeps, { payload }: Source): Promise<string> {
  const iat = epochSeconds();
  const ttlSeconds = refreshSeconds(at.snapshot.app.settings, 0);
  const value = newSecret();
  const first: Record<string, unknown> = {
    kind: 'RefreshToken',
    iat,
    iiat: iat,
    exp: iat + ttlSeconds,
    gty: GRANT_TYPE,
    rotations: 0,
  };
  for (const name of KEPT) first[name] = payload[name];
  await new RefreshTokenAdapter(at).upsert(value, first as AdapterPayload, ttlSeconds);
  return value;
}
