import type { Route } from '../../../http/route-table.ts';
import { type Attempt, attempt, carried, carriedCookies, cookieOf, fill, type World } from './attempt.ts';
import { aboutTokens, asClient, token } from './client-doors.ts';
import { authorization, type Door } from './door.ts';
import { proved, typed } from './optional-doors.ts';
import type { IssuerKind } from './side.ts';

type Attempts = (door: Door) => Attempt[];

const doors: Record<string, Attempts> = {
  '/authorize': authorize,
  '/authorize/:uid': resume,
  '/token': token,
  '/userinfo': userinfo,
  '/introspect': (door) => aboutTokens(door, 'inactive'),
  '/revoke': (door) => aboutTokens(door, 'nothing'),
  '/par': asClient,
  '/device_authorization': asClient,
  '/device': (door) => [...anything(door), ...(door.route.method === 'POST' ? typed(door) : [])],
  '/device/:uid': anything,
  '/logout': signOut,
  '/logout/confirm': confirmSignOut,
  '/logout/success': published,
  '/.well-known/jwks.json': keys,
  '/.well-known/openid-configuration': published,
  '/.well-known/oauth-authorization-server': published,
};

const PREFIX = '/auth/:app_id';

/** Attempts at the endpoints of the standards; undefined for any other route, and for an endpoint without a rule. */
export function doorRule(world: World, route: Route): Attempt[] | undefined {
  const issuer: IssuerKind = route.path.includes(PREFIX) ? 'own' : 'shared';
  const door = route.path.replace(PREFIX, '');
  if (!Object.hasOwn(doors, door)) return undefined;
  const path = route.path.replace(':app_id', world.b.appId);
  const url = world.baseUrl + fill(path, { uid: world.a.waiting.uid, client_id: world.a.appId })!;
  return doors[door]!({
    world,
    route,
    issuer,
    url,
    write: (parts) => attempt({ route, issuer, url }, parts),
  });
}

/** What A's browser has, and the browser of somebody who is signed in at B and is led to this URL by A. */
const sessionCookies = ({ world }: Door) =>
  carriedCookies(world, world.a.browser.cookies(), 'session cookie');
const victim = ({ world }: Door): string => cookieOf(world.b.browser.cookies());

function authorize(door: Door): Attempt[] {
  const { world, issuer, write } = door;
  const { a, b } = world;
  const asB = authorization(b);
  const silent = { ...asB, prompt: 'none' };
  const found = sessionCookies(door).flatMap(({ cookie, ...rest }) => [
    write({ ...rest, how: `${rest.how}, without a prompt`, fields: silent, headers: { cookie } }),
    write({ ...rest, fields: asB, headers: { cookie }, allows: 'page' }),
    ...(['own', 'shared'] as const).map((kind) =>
      write({
        credential: `ID token (${kind})`,
        how: `as id_token_hint, with the session cookie ${rest.how}`,
        fields: { ...silent, id_token_hint: a.held[kind].tokens.id_token },
        headers: { cookie },
      }),
    ),
  ]);
  const everything = carried(a).map(({ kind, value, fields }) =>
    write({
      credential: kind,
      how: `as bearer and as ${fields.join(', ')}`,
      fields: { ...silent, ...Object.fromEntries(fields.map((name) => [name, value])) },
      headers: { authorization: `Bearer ${value}` },
    }),
  );
  const wrongUri = write({
    credential: 'redirect URI',
    how: "with the other app's client, in a browser signed in there",
    fields: { ...silent, redirect_uri: a.redirectUri },
    headers: { cookie: victim(door) },
  });
  // At the shared issuer A's client is where it belongs.
  const foreignClient = [a.first, a.further].map(({ clientId }) =>
    write({
      credential: 'client',
      how: 'in a browser signed in at the other app',
      fields: { ...silent, client_id: clientId, redirect_uri: a.redirectUri },
      headers: { cookie: `${victim(door)}; ${cookieOf(a.browser.cookies())}` },
    }),
  );
  const pushed = (['own', 'shared'] as const).map((kind) =>
    write({
      credential: `pushed request (${kind})`,
      how: "by the other app's client, in a browser signed in there",
      fields: { client_id: b.appId, request_uri: a.held[kind].requestUri },
      headers: { cookie: victim(door) },
    }),
  );
  const foreignApi = write({
    credential: 'client',
    how: 'for an API of the other app',
    fields: { ...authorization(a), resource: b.api },
    headers: { cookie: cookieOf(a.browser.cookies()) },
  });
  const asA = issuer === 'own' ? foreignClient : [foreignApi];
  return [...found, ...everything, ...pushed, wrongUri, ...asA];
}

/** Going on with a sign-in of A where B's goes on: one that waits, and one that is done but for this. */
function resume({ world, route, issuer }: Door): Attempt[] {
  const { a, b, baseUrl } = world;
  return [
    { credential: 'interaction', of: a.waiting },
    { credential: 'finished interaction', of: a.finished },
  ].flatMap(({ credential, of }) => {
    const url = baseUrl + fill(route.path, { app_id: b.appId, uid: of.uid })!;
    return carriedCookies(world, [...of.browser.cookies(), ...a.browser.cookies()], credential).flatMap(
      (one) =>
        [one.cookie, `${one.cookie}; ${cookieOf(b.browser.cookies())}`].map((cookie, i) =>
          attempt(
            { route, issuer, url },
            {
              credential,
              how: one.how + (i ? ', in a browser signed in there' : ''),
              headers: { cookie },
              fields: {},
            },
          ),
        ),
    );
  });
}

/** Endpoints that take many things: cookies, bearers, and every string by every name it might go by. */
function anything(door: Door): Attempt[] {
  const { world, write } = door;
  const { a, b } = world;
  const cookies = [...a.browser.cookies(), ...a.waiting.browser.cookies()];
  const byCookie = carriedCookies(world, cookies, 'session cookie').map(({ cookie, ...rest }) =>
    write({
      ...rest,
      headers: { cookie },
      fields: { client_id: b.appId, xsrf: a.waiting.csrf, csrf: a.waiting.csrf },
      allows: 'page',
    }),
  );
  const byValue = carried(a).map(({ kind, value, fields }) =>
    write({
      credential: kind,
      how: `as bearer and as ${fields.join(', ')}`,
      fields: { client_id: b.appId, ...Object.fromEntries(fields.map((name) => [name, value])) },
      headers: { authorization: `Bearer ${value}` },
      allows: 'page',
    }),
  );
  return [...byCookie, ...byValue];
}

function userinfo(door: Door): Attempt[] {
  const { world, issuer, write, route } = door;
  const cookie = victim(door);
  // The shared issuer finds the app in the token: there A gets what is A's, whatever else the browser brings.
  const allows = issuer === 'own' ? 'refusal' : 'own';
  const bearers = carried(world.a).map(({ kind, value }) =>
    write({
      credential: kind,
      how: 'as bearer, in a browser signed in at the other app',
      headers: { authorization: `Bearer ${value}`, cookie },
      allows,
    }),
  );
  const forms = carried(world.a).map(({ kind, value }) =>
    write({
      credential: kind,
      how: 'as access_token',
      fields: { access_token: value },
      headers: { cookie },
      allows,
    }),
  );
  return [...bearers, ...proved(door), ...(route.method === 'POST' ? forms : [])];
}

/** Nothing that A knows signs anybody out of B, and B sends nobody to an address of A. */
function signOut(door: Door): Attempt[] {
  const { world, write } = door;
  const { a, b } = world;
  const cookies = [
    ...sessionCookies(door),
    {
      credential: 'session cookie',
      how: 'beside those of somebody signed in there',
      cookie: `${victim(door)}; ${cookieOf(a.browser.cookies())}`,
    },
  ];
  const hints = (['own', 'shared'] as const).map(
    (kind) => [`ID token (${kind})`, a.held[kind].tokens.id_token] as const,
  );
  return cookies.flatMap(({ cookie, how, credential }) => [
    write({ credential, how, fields: { client_id: b.appId }, headers: { cookie }, allows: 'page' }),
    ...hints.flatMap(([kind, hint]) => [
      write({
        credential: kind,
        how: `as id_token_hint, the session cookie ${how}`,
        fields: { id_token_hint: hint },
        headers: { cookie },
        allows: 'page',
      }),
      write({
        credential: kind,
        how: `as id_token_hint for the other app's client, the session cookie ${how}`,
        fields: { id_token_hint: hint, client_id: b.appId },
        headers: { cookie },
      }),
    ]),
    write({
      credential: 'redirect URI',
      how: `after sign-out, the session cookie ${how}`,
      fields: { client_id: b.appId, post_logout_redirect_uri: `https://${a.appId}.example/signed-out` },
      headers: { cookie },
    }),
  ]);
}

/** A's answer to "do you want to sign out?", sent to B. */
function confirmSignOut(door: Door): Attempt[] {
  const { world, write } = door;
  const { a, b } = world;
  const fields = { ...a.signOut, app_id: b.appId, logout: 'yes' };
  const cookies = [...sessionCookies(door), { how: 'in a browser signed in there', cookie: victim(door) }];
  return cookies.map(({ how, cookie }) =>
    write({ credential: 'sign-out form', how, fields, headers: { cookie } }),
  );
}

/** An app's own issuer vouches for no key of another app, and the shared one for none of any app's own. */
function keys(door: Door): Attempt[] {
  const { a, b } = door.world;
  const kids = door.issuer === 'own' ? [a.ids['kid']!] : [a.ids['kid']!, b.ids['kid']!];
  const verified = door.write({
    credential: 'signed token',
    how: 'verified with what is published here',
    allows: 'public',
    unlike: kids,
  });
  return [verified, ...published(door)];
}

/** Documents for everybody: with everything of A they say no more than without. */
function published(door: Door): Attempt[] {
  const bearers = carried(door.world.a).map(({ kind, value }) => ({
    kind,
    headers: { authorization: `Bearer ${value}` },
  }));
  return [
    ...sessionCookies(door).map(({ cookie, ...rest }) =>
      door.write({ ...rest, headers: { cookie }, allows: 'public' as const }),
    ),
    ...bearers.map(({ kind, headers }) =>
      door.write({ credential: kind, how: 'as bearer', headers, allows: 'public' }),
    ),
  ];
}
