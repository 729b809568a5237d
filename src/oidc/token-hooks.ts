import {
  type AccessToken,
  type ClientCredentials,
  errors,
  type KoaContextWithOIDC,
  type RefreshToken,
} from 'oidc-provider';
import type { AppSettings, AppSnapshot } from '../apps/app.ts';
import { apiOfAudience } from '../apps/apis/api.ts';
import { seconds } from '../kernel/duration.ts';
import { userinfoClaims } from './features/claims-parameter.ts';
import { actClaims } from './token-exchange/act.ts';
import { rotationOf } from './adapters/refresh-token-adapter.ts';

/** How tokens of an app look and how long they live: the design's answers where the library asks. */
export function tokenHooks(snapshot: AppSnapshot) {
  const { settings, appId } = snapshot.app;
  /** Access tokens are JWTs (RFC 9068) for the app. The seam: lifetimes are asked for before the format is chosen. */
  const asJwt = (ctx: KoaContextWithOIDC, token: AccessToken | ClientCredentials): number => {
    token.resourceServer ??= new ctx.oidc.provider.ResourceServer(`urn:latchkey:app:${appId}`, {
      scope: '',
      audience: appId,
      accessTokenFormat: 'jwt',
      jwt: { sign: {} },
    });
    return token.resourceServer.accessTokenTTL ?? settings.access_token_ttl;
  };

  return {
    ttl: {
      AccessToken: asJwt,
      ClientCredentials: asJwt,
      AuthorizationCode: settings.code_ttl,
      DeviceCode: settings.device_code_ttl,
      IdToken: settings.id_token_ttl,
      Interaction: settings.interaction_ttl,
      Session: settings.session_idle_ttl,
      Grant: grantSeconds(settings),
      RefreshToken: (ctx: KoaContextWithOIDC, token: RefreshToken) => refreshLifetime(settings, ctx, token),
    },

    /** Service accounts get the scopes they were given and no others (checklist #23). */
    extraTokenClaims(
      ctx: KoaContextWithOIDC,
      token: AccessToken | ClientCredentials,
    ): Promise<Record<string, unknown>> {
      if (token.kind === 'ClientCredentials') {
        const own = snapshot.clients.get(token.client?.clientId ?? '')?.scopes;
        const ofApi = apiOfAudience(snapshot.apis, token.aud) && token.resourceServer?.scopes;
        const allowed = new Set(ofApi ?? own);
        // As it was sent: the library drops what no client of the app may ask for without a word.
        const sent = ctx.oidc.body?.['scope'];
        const refused = (typeof sent === 'string' ? sent.split(' ') : []).filter(
          (scope) => scope && !allowed.has(scope),
        );
        if (refused.length)
          throw new errors.InvalidScope('requested scope is not allowed', refused.join(' '));
      }
      return Promise.resolve({ ...actClaims(token), app_id: appId });
    },

    /** Adds what finds the token's grant again. The audience is taken off the model: an ID token beside it keeps to OIDC Core §5.4. */
    jwtCustomizer(
      _ctx: KoaContextWithOIDC,
      token: AccessToken | ClientCredentials,
      jwt: { payload: Record<string, unknown> },
    ): void {
      if (token.kind === 'AccessToken') {
        Object.assign(jwt.payload, grantClaims(token as AccessToken, appId));
      }
      if (token.aud === appId) Object.assign(token, { aud: undefined });
    },
  };
}

function grantClaims({ aud, claims, grantId, sid }: AccessToken, appId: string): object {
  const asked = aud === appId ? userinfoClaims(claims) : {};
  return { gid: grantId, ...(sid ? { sid } : {}), ...asked };
}

/** Seconds, and the seam where a successor gets its value: it runs before the library draws one. */
function refreshLifetime(settings: AppSettings, ctx: KoaContextWithOIDC, token: RefreshToken): number {
  const rotation = ctx.oidc.entities.RotatedRefreshToken ? rotationOf() : undefined;
  // Derived, never drawn: a retry gets the byte-identical successor.
  if (rotation && token !== ctx.oidc.entities.RotatedRefreshToken) token.jti = rotation.successor;
  return refreshSeconds(settings, token.totalLifetime());
}

/** How long a grant lives: at least as long as anything that hangs on it. */
export const grantSeconds = (
  settings: Pick<AppSettings, 'refresh_absolute_ttl' | 'session_absolute_ttl'>,
): number => Math.max(settings.refresh_absolute_ttl, settings.session_absolute_ttl) + seconds.day;

/** How long a refresh token lives that is given now, so many seconds after the first of its family. */
export function refreshSeconds(settings: AppSettings, familySeconds: number): number {
  // A token that is never rotated can not tell whether it is idle.
  const idle = settings.security_profile === 'fapi2' ? Infinity : settings.refresh_idle_ttl;
  return Math.max(1, Math.min(idle, settings.refresh_absolute_ttl - familySeconds));
}
