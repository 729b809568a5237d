import type { Route } from '../../../http/route-table.ts';
import {
  type Attempt,
  attempt,
  carried,
  carriedCookies,
  cookieOf,
  fill,
  type Parts,
  type World,
} from './attempt.ts';
import { basic } from './call.ts';
import { challengeOf, type IssuerKind, random, redemption, SCOPE, type Side } from './side.ts';

/** One endpoint of the standards, at B's own issuer or at the shared one with B's client. */
type Door = { world: World; route: Route; issuer: IssuerKind; url: string; write(parts: Parts): Attempt };
type Attempts = (door: Door) => Attempt[];

const doors: Record<string, Attempts> = {
  '/authorize': authorize,
  '/authorize/:uid': resume,
  '/token': token,
  '/userinfo': userinfo,
  '/introspect': (door) => aboutTokens(door, 'inactive'),
  '/revoke': (door) => aboutTokens(door, 'nothing'),
  '/logout': signOut,
  '/logout/confirm': confirmSignOut,
  '/logout/success': published,
  '/.well-known/jwks.json': published,
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
  const url = world.baseUrl + path;
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

const authorization = (side: Side): Record<string, string> => ({
  client_id: side.appId,
  response_type: 'code',
  redirect_uri: side.redirectUri,
  scope: SCOPE,
  state: 'crossing',
  nonce: 'crossing',
  code_challenge: challengeOf(random()),
  code_challenge_method: 'S256',
});

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
  return [...found, ...everything, wrongUri, ...(issuer === 'own' ? foreignClient : [])];
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

/** What a grant takes for the credential it is about. */
const GRANTS: Record<string, string[]> = {
  authorization_code: ['code'],
  refresh_token: ['refresh_token'],
  'urn:ietf:params:oauth:grant-type:device_code': ['device_code'],
  'urn:ietf:params:oauth:grant-type:token-exchange': ['subject_token', 'actor_token'],
  'urn:ietf:params:oauth:grant-type:jwt-bearer': ['assertion'],
};

function token(door: Door): Attempt[] {
  const { world, issuer, route, write } = door;
  const { a, b } = world;
  const asB = basic(b.first.clientId, b.first.secret);
  const taken = (['own', 'shared'] as const).flatMap((kind) =>
    [a, b].map(({ redirectUri }) =>
      write({
        credential: `code (${kind})`,
        how: `redeemed by the other app's client for ${redirectUri === a.redirectUri ? 'its own' : "that client's"} redirect URI`,
        fields: redemption({ redirectUri }, a.held[kind]),
        headers: { authorization: asB },
      }),
    ),
  );
  const everything = carried(a).flatMap(({ kind, value, fields }) =>
    Object.entries(GRANTS)
      .filter(([, names]) => names.some((name) => fields.includes(name)))
      .map(([grant_type, names]) =>
        write({
          credential: kind,
          how: `as ${names.join(', ')} of ${grant_type}`,
          fields: {
            grant_type,
            redirect_uri: a.redirectUri,
            code_verifier: a.held.own.verifier,
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            ...Object.fromEntries(names.map((name) => [name, value])),
          },
          headers: { authorization: asB },
        }),
      ),
  );
  // Refused for its method, whatever is in it.
  if (route.method === 'GET') return taken;
  return [...taken, ...everything, ...foreignClients(door, issuer)];
}

/** A's clients ask for what is B's. At the shared issuer they are served as A's, and must find nothing of B's. */
function foreignClients({ world, write }: Door, issuer: IssuerKind): Attempt[] {
  const { a, b } = world;
  const { tokens } = b.held[issuer];
  const wanted: Record<string, string>[] = [
    redemption(b, b.held[issuer]),
    { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
  ];
  const clients = [
    { credential: 'client credentials', ...a.first },
    { credential: 'client credentials of a further client', ...a.further },
    { credential: 'service account', ...a.service },
  ];
  return clients.flatMap(({ credential, clientId, secret }) => {
    const authorized = { authorization: basic(clientId, secret) };
    const alone = { grant_type: 'client_credentials', scope: 'orders:read' };
    return [
      ...wanted.map((fields) =>
        write({
          credential,
          how: `for a ${fields['grant_type']} of the other app`,
          fields,
          headers: authorized,
        }),
      ),
      ...(issuer === 'own' ? [write({ credential, how: 'alone', fields: alone, headers: authorized })] : []),
      write({
        credential,
        how: "with the other app's client_id beside",
        fields: { ...alone, client_id: b.service.clientId },
        headers: authorized,
      }),
      write({
        credential,
        how: "its secret for the other app's client",
        fields: alone,
        headers: { authorization: basic(b.service.clientId, secret) },
      }),
      write({
        credential,
        how: "its secret for the other app's client, in the form",
        fields: { ...redemption(b, b.held[issuer]), client_id: b.appId, client_secret: secret },
      }),
    ];
  });
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
  return route.method === 'POST' ? [...bearers, ...forms] : bearers;
}

/** Introspection and revocation. That revoking changed nothing is seen in the state, and in what works afterwards. */
function aboutTokens({ world, issuer, write }: Door, allows: 'inactive' | 'nothing'): Attempt[] {
  const { a, b } = world;
  const mine = carried(a).map(({ kind, value }) =>
    write({
      credential: kind,
      how: "asked about by the other app's client",
      fields: { token: value },
      headers: { authorization: basic(b.first.clientId, b.first.secret) },
      allows,
    }),
  );
  const theirs = [
    ...Object.values(b.held.own.tokens),
    ...Object.values(b.held.shared.tokens),
    b.held[issuer].service,
  ];
  const foreign = [a.first, a.further, a.service].flatMap(({ clientId, secret }) =>
    theirs.map((value) =>
      write({
        credential: clientId === a.service.clientId ? 'service account' : 'client credentials',
        how: 'asking about a token of the other app',
        fields: { token: value },
        headers: { authorization: basic(clientId, secret) },
        allows: issuer === 'own' ? 'refusal' : allows,
      }),
    ),
  );
  return [...mine, ...foreign];
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
