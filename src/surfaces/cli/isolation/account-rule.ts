import type { Route } from '../../../http/route-table.ts';
import { type Attempt, attempt, carried, carriedCookies, cookieOf, fill, type World } from './attempt.ts';
import type { Cookie } from './browser.ts';

const ACCOUNT = '/auth/:app_id/account';

/** Attempts at the pages where users end their own sessions and take back what they allowed. */
export function accountRule(world: World, route: Route): Attempt[] | undefined {
  if (route.path !== ACCOUNT && !route.path.startsWith(`${ACCOUNT}/`)) return undefined;
  const { a, b } = world;
  if (route.path.includes('/:secret')) return byMail(world, route);
  const known = { ...a.ids, app_id: b.appId };
  if (fill(route.path, known) === undefined) return undefined;
  if (route.path === `${ACCOUNT}/signed-in`) return comingBack(world, route);
  const opened = asA(world, route);
  return route.method === 'POST' ? [...opened, ...forged(world, route), ...ofTheOther(world, route)] : opened;
}

/** A's session opens no page of B and ends nothing there, whatever it is asked to end. */
function asA(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl } = world;
  return [a.ids, b.ids].flatMap((ids) => {
    const url = baseUrl + fill(route.path, { ...ids, app_id: b.appId })!;
    const whose = ids === a.ids ? 'with its own ids' : "with the other app's ids";
    return carriedCookies(world, a.browser.cookies(), 'session cookie').map(({ how, ...rest }) =>
      attempt(
        { route, url },
        {
          credential: rest.credential,
          how: `${how}, ${whose}`,
          headers: { cookie: rest.cookie },
          fields: route.method === 'POST' ? { csrf: a.accountCsrf } : {},
        },
      ),
    );
  });
}

/** Somebody signed in at B is made to send a form of A: with B's browser, and with one where A could plant its cookies. */
function forged(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl } = world;
  const url = baseUrl + fill(route.path, { ...b.ids, app_id: b.appId })!;
  const isForForms = ({ name }: Cookie): boolean => name.includes('lk_csrf');
  const session = b.browser.cookies();
  const planted = [
    ...session.filter((one) => !isForForms(one)),
    ...a.browser.cookies().filter((one) => isForForms(one)),
  ];
  const tokens = [
    ['account form token', a.accountCsrf],
    ['form token', a.waiting.csrf],
  ] as const;
  return tokens.flatMap(([credential, csrf]) =>
    [
      { how: 'in a browser signed in at the other app', of: session },
      { how: 'in a browser signed in at the other app, with the form cookie it belongs to', of: planted },
    ].map(({ how, of }) =>
      attempt({ route, url }, { credential, how, headers: { cookie: cookieOf(of) }, fields: { csrf } }),
    ),
  );
}

/** A's user, rightly at A's own page, asks to end what is B's. It is answered as for what has ended already. */
function ofTheOther(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl } = world;
  if (!/\/:(session|client|passkey|device)_id\/(end|rename|remove|forget)$/.test(route.path)) return [];
  const url = baseUrl + fill(route.path, { ...b.ids, app_id: a.appId })!;
  const headers = { cookie: cookieOf(a.browser.cookies()) };
  return [
    attempt(
      { route, url },
      {
        credential: 'session cookie',
        how: "at its own app, with the other app's ids",
        headers,
        fields: { csrf: a.accountCsrf, name: 'Taken over' },
        allows: 'own',
      },
    ),
  ];
}

/** Where the authorization endpoint leads back to. What it is given opens nothing: only the session of the next page does. */
function comingBack(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl } = world;
  const url = baseUrl + fill(route.path, { app_id: b.appId })!;
  return carriedCookies(world, a.browser.cookies(), 'session cookie').flatMap(
    ({ how, cookie, credential }) => [
      attempt({ route, url }, { credential, how, headers: { cookie }, fields: { state: 'sessions' } }),
      attempt(
        { route, url },
        {
          credential: 'code (own)',
          how: `as the answer to a sign-in, the session cookie ${how}`,
          headers: { cookie },
          fields: { code: a.held.own.code, state: 'sessions' },
          allows: 'page',
        },
      ),
    ],
  );
}

/** Links that were mailed to people of A, at B, in A's browser and with the tokens of A's forms. */
function byMail(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl } = world;
  const secrets = carried(a).filter(({ kind }) => /link|invitation|code|interaction/.test(kind));
  return secrets.flatMap(({ kind, value }) => {
    const url = baseUrl + fill(route.path, { app_id: b.appId, secret: value })!;
    return carriedCookies(world, a.browser.cookies(), 'session cookie').map(({ how, cookie }) =>
      attempt(
        { route, url },
        {
          credential: kind,
          how: `in the address, the session cookie ${how}`,
          headers: { cookie },
          fields: route.method === 'POST' ? { csrf: a.accountCsrf } : {},
        },
      ),
    );
  });
}
