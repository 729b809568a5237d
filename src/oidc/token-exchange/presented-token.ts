import { decodeJwt, type JWTPayload } from 'jose';
import { type AccessToken, type ClientCredentials, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { jwtAlias } from '../adapters/access-token-adapter.ts';

/** A token that was handed in and found alive: its state, and what it says. */
export type Presented = {
  token: { accountId?: string; scopes: Set<string> };
  claims: JWTPayload;
};

/**
 * A live access token of this app and this issuer: the adapter has checked signature, type, issuer, app and expiry,
 * and the state of grant, session, user and client, and that it was not revoked. An actor's may be a service account's.
 */
export async function presentedToken(
  ctx: KoaContextWithOIDC,
  value: string,
  parameter: 'subject_token' | 'actor_token',
): Promise<Presented> {
  const { provider } = ctx.oidc;
  const found: AccessToken | ClientCredentials | undefined =
    (await provider.AccessToken.find(jwtAlias + value)) ??
    (parameter === 'actor_token' ? await provider.ClientCredentials.find(jwtAlias + value) : undefined);
  // One answer for what is unknown, another app's, expired, revoked or ended.
  if (!found) throw new errors.InvalidRequest(`${parameter} is not valid`);
  const claims = decodeJwt(value);
  // RFC 9449, RFC 8705: whoever has no proof for the key has stolen it, and a proof could not be handed on.
  if (claims['cnf'] !== undefined) throw new errors.InvalidRequest(`${parameter} is sender-constrained`);
  const accountId = 'accountId' in found ? found.accountId : undefined;
  return { token: { ...(accountId ? { accountId } : {}), scopes: found.scopes }, claims };
}
