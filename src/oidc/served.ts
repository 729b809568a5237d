import { isFapi } from './features/fapi.ts';
import type { AppSnapshot } from '../apps/app.ts';
import { domainIssuer, type IssuerKind, pagesOrigin, protocolRoutes } from './issuers.ts';

/** What an app does at one of its issuers: everything, only what keeps alive what began there, or nothing. */
export type Service = 'everything' | 'what_began' | 'nothing';

type Served = Pick<AppSnapshot, 'app' | 'domain'>;

/** An app with a domain is served there; before that only as long and as far as the transition says. */
export function serviceAt(baseUrl: string, { app, domain }: Served, issuer: IssuerKind): Service {
  // FAPI 2.0 asks for an issuer whose keys sign for nobody else.
  if (issuer === 'shared' && (!app.settings.shared_issuer || isFapi({ app }))) return 'nothing';
  const isAtBase = issuer === 'own' || issuer === 'shared';
  if (!domain) return isAtBase ? 'everything' : 'nothing';
  if (issuer === domainIssuer(baseUrl, domain.domain)) return 'everything';
  const wasThere = isAtBase
    ? !domain.baseLeft
    : domain.leaving.some((left) => domainIssuer(baseUrl, left) === issuer);
  if (!wasThere || domain.oldIssuers === 'ended') return 'nothing';
  return domain.oldIssuers === 'sign_in' ? 'everything' : 'what_began';
}

/** The issuer where new things of an app begin. */
export function homeIssuer(baseUrl: string, { domain }: Pick<AppSnapshot, 'domain'>): IssuerKind {
  return domain ? domainIssuer(baseUrl, domain.domain) : 'own';
}

/** The origin of an app's own pages and, with it, the relying party of its passkeys: for links that no issuer asked for. */
export function homeOrigin(baseUrl: string, snapshot: Pick<AppSnapshot, 'domain'>): string {
  return pagesOrigin(baseUrl, homeIssuer(baseUrl, snapshot));
}

/** What an issuer that an app is leaving still answers: verifying, refreshing, finishing and signing out, no beginning. */
const FOR_WHAT_BEGAN: ReadonlySet<string> = new Set([
  protocolRoutes.token,
  protocolRoutes.userinfo,
  protocolRoutes.introspection,
  protocolRoutes.revocation,
  protocolRoutes.end_session,
]);

export const keepsAlive = (path: string): boolean =>
  FOR_WHAT_BEGAN.has(path) ||
  path.startsWith('/.well-known/') ||
  path.startsWith(`${protocolRoutes.end_session}/`) ||
  path.startsWith(`${protocolRoutes.authorization}/`);
