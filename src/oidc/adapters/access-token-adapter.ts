import type { JWTPayload } from 'jose';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { apiOfAudience } from '../../apps/apis/api.ts';
import { isReservedClaim } from '../../apps/claims/names.ts';
import { lookingUp } from '../../storage/database.ts';
import {
  accessTokenState,
  type AccessTokenState,
  denyToken,
  isDenied,
} from '../../users/grants/token-state.ts';
import { rememberUser } from '../account.ts';
import { isFapi } from '../features/fapi.ts';
import { askedOfUserinfo } from '../features/claims-parameter.ts';
import { subjectFor } from '../subject.ts';
import { routeNow, unitOfWork } from '../unit-of-work.ts';
import { type AdapterDeps, epochSeconds } from './adapter-deps.ts';
import { cachedTokenState, rememberTokenState } from './cached-token-state.ts';
import { rememberGrant, revokeAgain } from './grant-adapter.ts';
import { CLOCK_TOLERANCE_SECONDS, verifiedToken } from './verified-token.ts';

/**
 * The library refuses JWTs at introspection and revocation before it asks the adapter; under this prefix they
 * reach it. It is no base64url, so nothing that begins with it reads as a JWT.
 */
export const jwtAlias = 'jwt:';

/**
 * JWT access tokens (RFC 9068) are not stored. Finding one means verifying it: signature, `typ`, issuer, expiry, the
 * app, and that grant, session, user and client are still what they were; minus those denied one by one.
 */
export function accessTokenAdapter(deps: AdapterDeps, model: 'AccessToken' | 'ClientCredentials'): Adapter {
  const { appId } = deps;
  const verified = async (value: string): Promise<JWTPayload | undefined> => {
    const jwt = value.startsWith(jwtAlias) ? value.slice(jwtAlias.length) : value;
    const payload = await verifiedToken(deps, jwt);
    if (!payload) return undefined;
    return payload['app_id'] === appId && isForUs(deps, payload) ? payload : undefined;
  };

  return {
    async find(value) {
      const claims = await verified(value);
      if (!claims || !deps.snapshot.clients.has(String(claims['client_id']))) return undefined;
      // What was given before the app took on the profile is bound to nobody.
      if (isFapi(deps.snapshot) && !claims['cnf']) return undefined;
      const grantId = claims['gid'];
      if ((model === 'AccessToken') !== (typeof grantId === 'string')) return undefined;
      unitOfWork().memo.set(`jwt:${claims.jti}`, claims.exp);
      if (typeof grantId !== 'string')
        return (await isAllowed(deps, claims)) ? payloadOf(model, claims) : undefined;
      const state = await liveState(deps, claims, grantId);
      if (!state) revokeAgain(deps, { grantId });
      if (!state || !isSubject(deps, claims, state.user_id)) return undefined;
      rememberUser(state.person);
      const found = payloadOf(model, claims, state.user_id);
      const owner = String(state.grant_payload['clientId']);
      if (owner !== claims['client_id']) return exchanged(deps, found, owner);
      rememberGrant(grantId, state.grant_payload, state.grant_remaining);
      return found;
    },
    destroy(jti) {
      const exp = Number(unitOfWork().memo.get(`jwt:${jti}`) ?? epochSeconds());
      const ttlSeconds = Math.max(1, exp - epochSeconds() + CLOCK_TOLERANCE_SECONDS * 2);
      unitOfWork().add(async (tx) => {
        await denyToken(tx, { appId, jti, ttlSeconds });
        tx.afterCommit(() => deps.cache.bury(appId, [{ kind: 'access_token', id: jti }]));
      });
      return Promise.resolve();
    },
    upsert: () => Promise.reject(new Error('access tokens are JWTs and are not stored')),
    consume: () => Promise.reject(new Error('access tokens are not consumed')),
    findByUid: () => Promise.resolve(undefined),
    findByUserCode: () => Promise.resolve(undefined),
    revokeByGrantId: () => Promise.resolve(),
  };
}

const askedOf = ({ jti, sub, exp }: JWTPayload, grantId?: string) => ({
  jti: jti!,
  sub: sub!,
  grantId,
  ttlSeconds: exp! - epochSeconds(),
});

/** Of a service account's token: it was not denied. */
async function isAllowed(deps: AdapterDeps, claims: JWTPayload): Promise<boolean> {
  const asked = askedOf(claims);
  const known = await cachedTokenState(deps, asked);
  if (known) return known !== 'gone';
  if (await isDenied(lookingUp(deps.db, deps.appId), deps.appId, asked.jti)) {
    buryAgain(deps, asked.jti);
    return false;
  }
  await rememberTokenState(deps, asked, undefined);
  return true;
}

/** As `revokeAgain` does for a grant. */
function buryAgain({ appId, cache }: AdapterDeps, jti: string): void {
  if (!cache.isInUse || routeNow() !== 'revocation') return;
  unitOfWork().add(async (tx) =>
    tx.afterCommit(() => cache.bury(appId, [{ kind: 'access_token', id: jti }])),
  );
}

type LiveState = Pick<AccessTokenState, 'user_id' | 'grant_payload' | 'grant_remaining'> &
  Partial<AccessTokenState>;

async function liveState(
  deps: AdapterDeps,
  claims: JWTPayload,
  grantId: string,
): Promise<LiveState | undefined> {
  const asked = askedOf(claims, grantId);
  const known = await cachedTokenState(deps, asked);
  if (known) return known === 'gone' ? undefined : known;
  const { appId } = deps;
  const state = await accessTokenState(lookingUp(deps.db, appId), { appId, jti: asked.jti, grantId });
  if (state) await rememberTokenState(deps, asked, state);
  return state;
}

/**
 * `sub` is what the client knows the user as; who that is says the grant. Where the client's sector has changed since, the
 * token speaks of somebody whom it does not know any more.
 */
const isSubject = ({ snapshot }: AdapterDeps, claims: JWTPayload, userId: string): boolean =>
  subjectFor(snapshot, String(claims['client_id']), userId) === claims.sub;

/**
 * A token that another client got for one of this grant (RFC 8693) lives as long as that grant and as both clients,
 * which was asked just now. The library would look for a grant of the second client's own, so it is not told of one;
 * userinfo, which wants the grant itself, takes no such token.
 */
function exchanged(deps: AdapterDeps, found: AdapterPayload, owner: string): AdapterPayload | undefined {
  if (!deps.snapshot.clients.has(owner)) return undefined;
  const { grantId: _grantId, ...rest } = found;
  return rest;
}

const isUserinfo = (): boolean => routeNow() === 'userinfo';

/** For the app itself, or (but not at userinfo, which is none of them) for an API that it still has. */
const isForUs = ({ appId, snapshot }: AdapterDeps, claims: JWTPayload): boolean =>
  claims.aud === appId || (!isUserinfo() && apiOfAudience(snapshot.apis, claims.aud) !== undefined);

/** Claims of the app's own, which introspection shows as they were given. */
const ownClaims = (claims: JWTPayload): object =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => !isReservedClaim(name)));

/** The library's own form. The token's life was checked with the tolerance for other clocks, so `exp` is not asked again. */
function payloadOf(model: string, claims: JWTPayload, userId?: string): AdapterPayload {
  // The userinfo endpoint takes only tokens without an audience of their own; those that got here are the app's.
  const forUserinfo = isUserinfo();
  return {
    kind: model,
    jti: claims.jti!,
    iat: claims.iat!,
    exp: Math.max(claims.exp!, epochSeconds() + 1),
    clientId: String(claims['client_id']),
    scope: typeof claims['scope'] === 'string' ? claims['scope'] : '',
    ...(model === 'AccessToken' ? { accountId: userId, grantId: String(claims['gid']) } : {}),
    ...(forUserinfo ? {} : { aud: claims.aud as string }),
    ...boundTo(claims),
    ...askedOfUserinfo(claims['userinfo_claims']),
    extra: {
      ...ownClaims(claims),
      app_id: claims['app_id'],
      ...(typeof claims['sid'] === 'string' ? { sid: claims['sid'] } : {}),
      ...(claims['act'] === undefined ? {} : { act: claims['act'] }),
      ...(claims['may_act'] === undefined ? {} : { may_act: claims['may_act'] }),
    },
  } as AdapterPayload;
}

/** The certificate (RFC 8705 §3.1) or key (RFC 9449 §6.1) without which the token is worth nothing. */
function boundTo(claims: JWTPayload): { 'x5t#S256'?: string; jkt?: string } {
  const { 'x5t#S256': certificate, jkt } = (claims['cnf'] ?? {}) as Record<string, unknown>;
  return {
    ...(typeof certificate === 'string' ? { 'x5t#S256': certificate } : {}),
    ...(typeof jkt === 'string' ? { jkt } : {}),
  };
}
