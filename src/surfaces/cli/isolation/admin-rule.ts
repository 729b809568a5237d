import type { Route } from '../../../http/route-table.ts';
import { type Attempt, attempt, carried, cookieOf, fill, namesIn, type World } from './attempt.ts';
import { basic } from './call.ts';
import { newStranger } from './side.ts';

const API = '/api/v1';
const OPEN = /^\/api\/(docs|v1\/openapi\.json)$/;

/** Attempts at the Admin API: credentials of an app as an operator's, and things of one app below the other one's name. */
export function adminRule(world: World, route: Route): Attempt[] | undefined {
  if (!route.path.startsWith('/api/') || OPEN.test(route.path)) return undefined;
  const names = namesIn(route.path);
  const isKnown = names.every((name) => name === 'app_id' || world.b.ids[name] !== undefined);
  if (!isKnown) return undefined;
  return [
    ...asOperator(world, route),
    ...belowTheOther(world, route),
    ...ofItsOwn(world, route),
    ...special(world, route),
  ];
}

/** Nothing an app gave to anybody opens the Admin API, least of all for the other app. */
function asOperator(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl } = world;
  const url = baseUrl + fill(route.path, { ...b.ids, app_id: b.appId })!;
  const write = (credential: string, how: string, headers: Record<string, string>) =>
    attempt({ route, url }, { credential, how, headers, ...bodyOf(route) });
  const bearers = carried(a)
    .filter(({ kind }) => /token|code|secret|id$/.test(kind))
    .map(({ kind, value }) => write(kind, 'as bearer', { authorization: `Bearer ${value}` }));
  // Failures are limited per network: from one address each operation meets one kind, and the operations all of them.
  const turn = [...`${route.method} ${route.path}`].reduce(
    (sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973,
    7,
  );
  return [
    ...(world.isSpread ? bearers : [bearers[turn % bearers.length]!]),
    write('session cookie', 'as the only credential', { cookie: cookieOf(a.browser.cookies()) }),
    write('service account', 'by Basic', { authorization: basic(a.service.clientId, a.service.secret) }),
  ];
}

/** With the key that may do everything: an id of one app below the other app's name is not found. */
function belowTheOther(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl, adminKey } = world;
  const names = namesIn(route.path).filter((name) => name !== 'app_id');
  const headers = { authorization: `Bearer ${adminKey}` };
  return [
    { at: b, from: a, hides: 'a' as const },
    { at: a, from: b, hides: 'b' as const },
  ].flatMap(({ at, from, hides }) =>
    Array.from({ length: 2 ** names.length - 1 }, (_, i) => {
      const foreign = names.filter((_name, position) => ((i + 1) >> position) & 1);
      const ids = Object.fromEntries(
        names.map((name) => [name, (foreign.includes(name) ? from : at).ids[name]!]),
      );
      const url = baseUrl + fill(route.path, { ...ids, app_id: at.appId })!;
      const credential = foreign.join(', ');
      return attempt(
        { route, url },
        { credential, how: 'below the other app', headers, hides, ...bodyOf(route) },
      );
    }),
  );
}

/** What one app is shown of its own holds nothing of the other one. */
function ofItsOwn(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl, adminKey } = world;
  if (route.method !== 'GET' || !route.path.includes('/:app_id')) return [];
  const headers = { authorization: `Bearer ${adminKey}` };
  return [
    { at: b, hides: 'a' as const },
    { at: a, hides: 'b' as const },
  ].map(({ at, hides }) =>
    attempt(
      { route, url: baseUrl + fill(route.path, { ...at.ids, app_id: at.appId })! },
      { credential: 'none', how: 'what is shown of its own app', headers, allows: 'own', hides },
    ),
  );
}

/** What crosses in a query, a body or a header. */
function special(world: World, route: Route): Attempt[] {
  const { a, b, baseUrl, adminKey } = world;
  const url = baseUrl + fill(route.path, { ...b.ids, app_id: b.appId })!;
  const headers = { authorization: `Bearer ${adminKey}` };
  const below = route.path.slice(API.length);
  const isList =
    route.method === 'GET' && /^\/apps\/:app_id\/\w[\w-]*$/.test(below) && !below.endsWith('/keys');
  const found: Attempt[] = [];
  if (isList && a.cursor !== undefined)
    found.push(
      attempt(
        { route, url },
        {
          credential: 'cursor',
          how: 'as after',
          fields: { after: a.cursor },
          headers,
          allows: 'public',
          hides: 'a',
        },
      ),
    );
  if (route.method === 'POST' && below === '/apps/:app_id/users')
    found.push(
      attempt(
        { route, url },
        {
          credential: 'idempotency key',
          how: 'of the same request at its own app',
          json: newStranger(a.stranger.email),
          headers: { ...headers, 'idempotency-key': a.stranger.idempotencyKey },
          hides: 'a',
        },
      ),
    );
  if (below === '/apps/:app_id/keys/rotate')
    found.push(
      attempt(
        { route, url },
        { credential: 'key id', how: 'as the compromised key', json: { compromised: a.ids['kid'] }, headers },
      ),
    );
  return found;
}

const bodyOf = ({ method, example }: Route): { json?: unknown } =>
  method === 'GET' || method === 'DELETE' ? {} : { json: example ?? {} };
