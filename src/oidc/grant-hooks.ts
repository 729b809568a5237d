import type {
  AccessToken,
  AuthorizationCode,
  Client as OidcClient,
  DeviceCode,
  Grant,
  KoaContextWithOIDC,
} from 'oidc-provider';
import { claimsAskedFor } from './features/claims-parameter.ts';
import { type AskedResource, askedResources } from './resources.ts';
import { type AppSnapshot, type Client, isRefreshBoundToSession, needsConsent } from '../apps/app.ts';

/** What a client is given, and what ends with the session: the design's answers where the library asks. */
export function grantHooks(snapshot: AppSnapshot, issuerUrl: string) {
  const clientOf = (client: { clientId: string } | undefined) => snapshot.clients.get(client?.clientId ?? '');
  return {
    async loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
      const { provider, session, account, client, result } = ctx.oidc;
      const grantId = result?.consent?.grantId ?? session!.grantIdFor(client!.clientId);
      let grant = grantId ? await provider.Grant.find(grantId) : undefined;
      if (grant && (grant.accountId !== account!.accountId || grant.clientId !== client!.clientId))
        grant = undefined;
      const known = clientOf(client);
      if (!known || needsConsent(snapshot.app, known)) return grant;
      const wanted = [...ctx.oidc.requestParamOIDCScopes];
      const granted = new Set(grant?.getOIDCScope().split(' '));
      const claims = claimsAskedFor(ctx.oidc.params ?? {});
      const given = new Set(grant?.getOIDCClaims());
      const resources = askedResources({ snapshot, issuerUrl }, known, ctx.oidc.params ?? {});
      const isEnough =
        wanted.every((scope) => granted.has(scope)) && claims.every((claim) => given.has(claim));
      if (grant && isEnough && hasResources(grant, resources)) return grant;
      grant ??= new provider.Grant({ accountId: account!.accountId, clientId: client!.clientId });
      grant.addOIDCScope(wanted.join(' '));
      if (claims.length) grant.addOIDCClaims(claims);
      addResources(grant, resources);
      await grant.save();
      return grant;
    },

    issueRefreshToken(
      _ctx: KoaContextWithOIDC,
      client: OidcClient,
      source: { scopes: Set<string> },
    ): Promise<boolean> {
      return Promise.resolve(getsRefreshToken(clientOf(client), source.scopes));
    },

    expiresWithSession(
      ctx: KoaContextWithOIDC,
      source: AccessToken | AuthorizationCode | DeviceCode,
    ): Promise<boolean> {
      const client = clientOf(ctx.oidc.client);
      const bound = client === undefined || isRefreshBoundToSession(client);
      // What ends with a session names it.
      if (bound) source.sid ??= ctx.oidc.session?.sidFor(ctx.oidc.client!.clientId);
      return Promise.resolve(bound);
    },
  };
}

export function getsRefreshToken(client: Client | undefined, scopes: ReadonlySet<string>): boolean {
  const mode = client?.settings.refresh_tokens ?? 'never';
  return mode === 'always' || (mode === 'on_offline_access' && scopes.has('offline_access'));
}

function hasResources(grant: Grant, resources: AskedResource[]): boolean {
  return resources.every(({ resource, scopes }) => {
    const granted = new Set(grant.getResourceScope(resource).split(' '));
    return scopes.every((scope) => granted.has(scope));
  });
}

export function addResources(grant: Grant, resources: AskedResource[]): void {
  for (const { resource, scopes } of resources)
    if (scopes.length) grant.addResourceScope(resource, scopes.join(' '));
}
