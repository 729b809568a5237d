/** At which of its two issuers an app is being used. Codes, tokens and interactions carry it. */
export type IssuerKind = 'own' | 'shared';

/** The app's own issuer is `{BASE_URL}/auth/{app_id}`, the shared one is `{BASE_URL}`. */
export function issuerUrl(baseUrl: string, appId: string, kind: IssuerKind): string {
  return kind === 'own' ? `${baseUrl}/auth/${appId}` : baseUrl;
}

/** Routes of the protocol, the same below either issuer. */
export const protocolRoutes = {
  authorization: '/authorize',
  token: '/token',
  userinfo: '/userinfo',
  introspection: '/introspect',
  revocation: '/revoke',
  pushed_authorization_request: '/par',
  end_session: '/logout',
  jwks: '/.well-known/jwks.json',
} as const;
