import type { AccessToken, ClientCredentials, KoaContextWithOIDC } from 'oidc-provider';
import type { Client } from '../../apps/app.ts';
import { stateOf } from '../../http/request-state.ts';
import type { User } from '../../users/user.ts';

const GRANT_NAMES: Record<string, string> = {
  'urn:ietf:params:oauth:grant-type:device_code': 'device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange': 'token_exchange',
};

/** The grant of this request, as the hook calls it. */
export function grantNameOf(ctx: KoaContextWithOIDC): string {
  const type = String(ctx.oidc.params?.['grant_type']);
  return GRANT_NAMES[type] ?? type;
}

export type AskedAbout = {
  token: AccessToken | ClientCredentials;
  client: Client | undefined;
  user: User | undefined;
};

/** What the hook is told. No credential is in it: nothing there opens anything. */
export function questionAbout(ctx: KoaContextWithOIDC, { token, client, user }: AskedAbout) {
  const { requestId, clientAddress } = stateOf(ctx);
  const { entities } = ctx.oidc;
  const source = entities.AuthorizationCode ?? entities.DeviceCode ?? entities.RefreshToken;
  return {
    type: 'token.issuing',
    timestamp: new Date().toISOString(),
    data: {
      app_id: user?.appId ?? client?.appId,
      issuer: ctx.oidc.issuer,
      grant_type: grantNameOf(ctx),
      client: client && { client_id: client.clientId, name: client.name, type: client.type },
      user: user ? presentPerson(user) : null,
      authentication: source
        ? { acr: source.acr ?? null, amr: source.amr ?? [], auth_time: source.authTime ?? null }
        : null,
      audience: token.aud,
      scopes: token.scope ? token.scope.split(' ') : [],
      request: { request_id: requestId, address: clientAddress, user_agent: ctx.get('user-agent') || null },
    },
  };
}

function presentPerson(user: User) {
  return {
    user_id: user.userId,
    email: user.email,
    email_verified: user.emailVerified,
    phone: user.phone ?? null,
    phone_verified: user.phoneVerified,
    profile: user.profile,
    metadata: user.metadata,
    locale: user.locale ?? null,
    created_at: user.createdAt.toISOString(),
  };
}
