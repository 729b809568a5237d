import type { Route } from '../http/route-table.ts';
import { protocolRoutes } from './issuers.ts';

export const DISCOVERY = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];
/** Below every issuer, those at domains too. A door is opened by its line here, and with it is in the route table. */
const DOORS: readonly string[] = [
  ...Object.values(protocolRoutes),
  ...DISCOVERY,
  '/authorize/:uid',
  '/device/:uid',
  '/logout/confirm',
  '/logout/success',
];
const PLAIN = new Set(DOORS.filter((path) => !path.includes(':')));
const PATTERNS = DOORS.filter((path) => path.includes(':')).map(
  (path) => new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[A-Za-z0-9_-]+')}$`),
);

/** Whether the standards have an endpoint at this path below an issuer, whichever it is. */
export const isProtocolPath = (path: string): boolean =>
  PLAIN.has(path) || PATTERNS.some((pattern) => pattern.test(path));

/** Only read. Every other door is tried with both methods, whichever of them the library takes. */
const READ_ONLY = new Set<string>([...DISCOVERY, protocolRoutes.jwks]);

export const doorTable = (): Route[] => {
  const methodsOf = (path: string) => (READ_ONLY.has(path) ? ['GET'] : ['GET', 'POST']);
  const below = (prefix: string) =>
    DOORS.flatMap((path) => methodsOf(path).map((method) => ({ method, path: prefix + path })));
  const inserted = DISCOVERY.map((path) => ({ method: 'GET', path: `${path}/auth/:app_id` }));
  return [...below(''), ...below('/auth/:app_id'), ...inserted];
};
