import { type AccessToken, type AuthorizationCode, type Client as OidcClient, type ClientCredentials, type DeviceCode, errors, type Grant, type KoaContextWithOIDC, type RefreshToken } from 'oidc-provider';
import { type AppSnapshot, isRefreshBoundToSession, needsConsent } from '../apps/app.ts';
import { seconds } from '../kernel/duration.ts';
import { rotationOf } from './adapters/refresh-token-adapter.ts';

/** What the design decides where the library asks. All of it for one app. */
export function providerHooks(snapshot: AppSnapshot) {
  const { settings, appId } = snapshot.app;
  const clientOf = (client: { clientId: string } | undefined) => snapshot.clients.get(client?.clientId ?? '');

  /** Access tokens are JWTs (RFC 9068) for the app. The seam: lifetimes are asked for before the format is chosen. */
  const asJwt = (ctx: KoaContextWithOIDC, token: AccessToken | ClientCredentials): number => {
    token.resourceServer ??= new ctx.oidc.provider.ResourceServer(`urn:latchkey:app:${appId}`, {
      scope: '',
      audience: appId,
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: 'RS256' } },
    });
    return settings.access_token_ttl;
  };

  return {
    ttl: {
      AccessToken: asJwt,
      ClientCredentials: asJwt,
      AuthorizationCode: settings.code_ttl,
      IdToken: settings.id_token_ttl,
      Interaction: settings.interaction_ttl,
      Session: settings.session_idle_ttl,
      // At least as long as anything that hangs on it.
      Grant: Math.max(settings.refresh_absolute_ttl, settings.session_absolute_ttl) + seconds.day,
      RefreshToken: (ctx: KoaContextWithOIDC, token: RefreshToken): number => {
        const rotation = ctx.oidc.entities.RotatedRefreshToken ? rotationOf() : undefined;
        // Derived, never drawn: a retry gets the byte-identical successor. Runs before the library draws an id.
        if (rotation && token !== ctx.oidc.entities.RotatedRefreshToken) token.jti = rotation.successor;
        return Math.max(1, Math.min(settings.refresh_idle_ttl, settings.refresh_absolute_ttl - token.totalLifetime()));
      },
    },

    async loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
      const { provider, session, account, client, result } = ctx.oidc;
      const grantId = result?.consent?.grantId ?? session!.grantIdFor(client!.clientId);
      let grant = grantId ? await provider.Grant.find(grantId) : undefined;
      if (grant && (grant.accountId !== account!.accountId || grant.clientId !== client!.clientId)) grant = undefined;
      const known = clientOf(client);
      if (!known || needsConsent(snapshot.app, known)) return grant;
      const wanted = [...ctx.oidc.requestParamOIDCScopes];
      const granted = new Set(grant?.getOIDCScope().split(' '));
      if (grant && wanted.every((scope) => granted.has(scope))) return grant;
      grant ??= new provider.Grant({ accountId: account!.accountId, clientId: client!.clientId });
      grant.addOIDCScope(wanted.join(' '));
      await grant.save();
      return grant;
    },

    issueRefreshToken(_ctx: KoaContextWithOIDC, client: OidcClient, source: { scopes: Set<string> }): Promise<boolean> {
      const mode = clientOf(client)?.settings.refresh_tokens ?? 'never';
      return Promise.resolve(mode === 'always' || (mode === 'on_offline_access' && source.scopes.has('offline_access')));
    },

    expiresWithSession(ctx: KoaContextWithOIDC, source: AccessToken | AuthorizationCode | DeviceCode): Promise<boolean> {
      const client = clientOf(ctx.oidc.client);
      const bound = client === undefined || isRefreshBoundToSession(client);
      // What ends with a session names it.
      if (bound) source.sid ??= ctx.oidc.session?.sidFor(ctx.oidc.client!.clientId);
      return Promise.resolve(bound);
    },

    /** Service accounts get the scopes they were given and no others (checklist #23). */
    extraTokenClaims(ctx: KoaContextWithOIDC, token: AccessToken | ClientCredentials): Promise<Record<string, unknown>> {
      if (token.kind === 'ClientCredentials') {
        const allowed = new Set(clientOf(token.client)?.scopes);
        // As it was sent: the library drops what no client of the app may ask for without a word.
        const sent = ctx.oidc.body?.['scope'];
        const refused = (typeof sent === 'string' ? sent.split(' ') : []).filter((scope) => scope && !allowed.has(scope));
        if (refused.length) throw new errors.InvalidScope('requested scope is not allowed', refused.join(' '));
      }
      return Promise.resolve({ app_id: appId });
    },

    /** Adds what finds the token's grant again. The audience is taken off the model: an ID token beside it keeps to OIDC Core §5.4. */
    jwtCustomizer(_ctx: KoaContextWithOIDC, token: AccessToken | ClientCredentials, jwt: { payload: Record<string, unknown> }): void {
      if (token.kind === 'AccessToken') {
        const { grantId, sid } = token as AccessToken;
        Object.assign(jwt.payload, { gid: grantId, ...(sid ? { sid } : {}) });
      }
      if (token.aud === appId) Object.assign(token, { aud: undefined });
    },

    pkceRequired(_ctx: KoaContextWithOIDC, client: OidcClient): boolean {
      return client.clientAuthMethod === 'none' || (clientOf(client)?.settings.pkce_required ?? true);
    },

    clientBasedCORS(_ctx: KoaContextWithOIDC, origin: string, client: OidcClient): boolean {
      return clientOf(client)?.allowedOrigins.includes(origin) ?? false;
    },

    /** A client introspects its own tokens; the app's first client, the audience of all, introspects all (RFC 7662 §2.1). */
    mayIntrospect(_ctx: KoaContextWithOIDC, client: OidcClient, token: { clientId?: string | undefined }): Promise<boolean> {
      if (client.clientAuthMethod === 'none') return Promise.resolve(false);
      return Promise.resolve(token.clientId === client.clientId || client.clientId === appId);
    },

    mayRevoke(_ctx: KoaContextWithOIDC, client: OidcClient, token: { clientId?: string | undefined }): Promise<boolean> {
      return Promise.resolve(token.clientId === client.clientId);
    },
  };
}
