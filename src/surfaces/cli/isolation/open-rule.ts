import type { Route } from '../../../http/route-table.ts';
import { type Attempt, attempt, carried, carriedCookies, fill, type World } from './attempt.ts';

const OPEN =
  /^\/$|^\/(healthz|readyz|health|metrics|favicon\.ico)$|^\/assets\/|^\/auth\/:app_id\/logo\/|^\/api\/(docs|v1\/openapi\.json)$|^\/\.well-known\/[\w-]+\/auth\/:app_id$|^\/\.well-known\/oauth-protected-resource\/|^\/\.well-known\/webauthn$|^\/dev\/playground(\/|$)/;

/** What everybody may read, and pages that belong to no app: whatever of A comes along, nothing of B is shown. */
export function openRule(world: World, route: Route): Attempt[] | undefined {
  if (!OPEN.test(route.path)) return undefined;
  const { a, b, baseUrl } = world;
  const url = baseUrl + fill(route.path, { app_id: b.appId, file: 'latchkey.css' })!;
  const cookies = carriedCookies(world, a.browser.cookies(), 'session cookie').map(({ cookie, ...rest }) =>
    attempt({ route, url }, { ...rest, headers: { cookie }, fields: {}, allows: 'public' }),
  );
  const bearers = carried(a)
    .filter(({ kind }) => kind.endsWith('(own)'))
    .map(({ kind, value }) =>
      attempt(
        { route, url },
        {
          credential: kind,
          how: 'as bearer',
          headers: { authorization: `Bearer ${value}` },
          fields: {},
          allows: 'public',
        },
      ),
    );
  return [...cookies, ...bearers];
}

/** Routes where there is nothing to keep apart, with the reason why. */
export const exempt: readonly { path: RegExp; why: string }[] = [
  {
    path: /^\/dev\/inbox/,
    why: 'in development only, and only from this machine: shows the mail of the whole deployment',
  },
];
