import type { AdapterPayload } from 'oidc-provider';
import type { Client } from '../../apps/app.ts';
import { newSecret } from '../../kernel/secret.ts';
import type { User } from '../../users/user.ts';
import { claimsAbout, liveUser } from '../account.ts';
import { type AdapterDeps, epochSeconds } from '../adapters/adapter-deps.ts';
import { rememberedGrant } from '../adapters/grant-adapter.ts';
import { customClaims } from '../claims/custom-claims.ts';
import { signJwt } from '../sign-jwt.ts';
import { subjectFor } from '../subject.ts';
import { grantedScopes, pickClaims } from './claims.ts';

/** What a code or a refresh token was given for, as far as tokens say it. */
export type Source = {
  client: Client;
  user: User;
  grantId: string;
  /** Those it was given for, and of those what the person has allowed. */
  scopes: readonly string[];
  granted: readonly string[];
  payload: AdapterPayload;
};

type Tokens = { access: string; ttlSeconds: number; id: string | undefined; scope: string };

/** What needs more than a client, a person and scopes: resources, claims asked for one by one, keys and certificates. */
const UNUSUAL = ['rar', 'x5t#S256', 'jkt', 'attestationJkt', 'dpopJkt', 'consumed'];

/** undefined: it is not this client's, over, or not this plain. */
export async function sourceOf(
  at: AdapterDeps,
  client: Client,
  payload: AdapterPayload | undefined,
): Promise<Source | undefined> {
  const { accountId, clientId, grantId, claims, resource, scope, exp } = payload ?? {};
  if (!payload || clientId !== client.clientId || !grantId || !accountId || !scope) return undefined;
  if (exp! <= epochSeconds() || UNUSUAL.some((name) => payload[name] !== undefined)) return undefined;
  if (!isEmpty(claims) || !isEmpty(resource)) return undefined;
  const grant = rememberedGrant(grantId, { clientId, accountId });
  const user = grant && (await liveUser(at.db, at.appId, accountId));
  const scopes = scope.split(' ');
  const granted = user && grantedScopes(grant, scopes);
  return granted && { client, user, grantId, scopes, granted, payload };
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

/**
 * An access token for the app itself (RFC 9068) and, with the scope `openid`, an ID token (OIDC Core §3.1.3.3), as the
 * token endpoint answers them. undefined: the library has to.
 */
export async function tokensFor(at: AdapterDeps, source: Source): Promise<Tokens | undefined> {
  const { appId, snapshot } = at;
  const { settings } = snapshot.app;
  const { client, user, grantId, scopes, granted, payload } = source;
  const { sid } = payload;
  const { clientId } = client;
  const key = at.keys[0]!;
  const iat = epochSeconds();
  const sub = subjectFor(snapshot, clientId, user.userId);
  const scope = granted.join(' ');
  const common = { sub, iat, iss: at.issuerUrl };
  const ofApp = customClaims(settings.custom_claims, user, { use: 'access_token', scope });
  const idClaims = scopes.includes('openid') ? idTokenClaims(at, source) : {};
  if (!idClaims) return undefined;
  const accessToken = signJwt(key, 'at+jwt', {
    ...ofApp,
    app_id: appId,
    jti: newSecret(),
    ...common,
    exp: iat + settings.access_token_ttl,
    scope: scope || undefined,
    client_id: clientId,
    aud: appId,
    gid: grantId,
    ...(sid ? { sid } : {}),
  });
  const idToken = scopes.includes('openid')
    ? signJwt(key, undefined, { ...idClaims, aud: clientId, exp: iat + settings.id_token_ttl, ...common })
    : undefined;
  const [access, id] = await Promise.all([accessToken, idToken]);
  return { access, ttlSeconds: settings.access_token_ttl, id, scope };
}

/** The answer of the token endpoint (RFC 6749 §5.1, OIDC Core §3.1.3.3). */
export const tokenAnswer = (tokens: Tokens, refreshToken: string | undefined): Record<string, unknown> => ({
  access_token: tokens.access,
  expires_in: tokens.ttlSeconds,
  id_token: tokens.id,
  refresh_token: refreshToken,
  scope: tokens.scope,
  token_type: 'Bearer',
});

/** Beside the protocol's own. Where there is a userinfo endpoint the claims of scopes are there (OIDC Core §5.4). */
function idTokenClaims(
  { snapshot }: AdapterDeps,
  { client, user, granted, payload }: Source,
): Record<string, unknown> | undefined {
  const { acr, amr, authTime, nonce, sid } = payload;
  const scope = granted.join(' ');
  const about = {
    ...claimsAbout(snapshot.app, user, { use: 'id_token', scope }),
    acr,
    amr,
    auth_time: authTime,
  };
  const claims = pickClaims(snapshot, about, ['openid']);
  if (!claims) return undefined;
  for (const { name, in: places } of snapshot.app.settings.custom_claims)
    if (places.includes('id_token') && Object.hasOwn(about, name)) claims[name] = about[name as 'acr'];
  // OpenID Connect Back-Channel Logout 1.0 §2.1: for clients that are told.
  const told = client.settings.backchannel_logout_uri === null ? undefined : sid;
  return { ...claims, nonce, sid: told };
}
