import { type DomainOrigin, originOfDomain } from '../apps/domains/domain-name.ts';

/**
 * At which of its issuers an app is being used: its own below BASE_URL, the shared one, or, as a URL, the one at a
 * domain of its own. Codes, tokens and interactions carry it.
 */
export type IssuerKind = 'own' | 'shared' | DomainOrigin;

/** The app's own issuer is `{BASE_URL}/auth/{app_id}`, the shared one is `{BASE_URL}`, that of a domain its origin. */
export function issuerUrl(baseUrl: string, appId: string, kind: IssuerKind): string {
  if (kind === 'own') return `${baseUrl}/auth/${appId}`;
  return kind === 'shared' ? baseUrl : kind;
}

export const domainIssuer: (baseUrl: string, domain: string) => IssuerKind = originOfDomain;

/** Where the pages of what began at an issuer are: the origin of links, cookies and passkeys. */
export function pagesOrigin(baseUrl: string, kind: IssuerKind): string {
  return kind === 'own' || kind === 'shared' ? baseUrl : kind;
}

/** Routes of the protocol, the same below each issuer. */
export const protocolRoutes = {
  authorization: '/authorize',
  token: '/token',
  device_authorization: '/device_authorization',
  code_verification: '/device',
  userinfo: '/userinfo',
  introspection: '/introspect',
  revocation: '/revoke',
  pushed_authorization_request: '/par',
  end_session: '/logout',
  jwks: '/.well-known/jwks.json',
} as const;
