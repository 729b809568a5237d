import { randomBytes } from 'node:crypto';
import type { Route } from '../../../http/route-table.ts';
import type { Cookie } from './browser.ts';
import { type Answer, FORM, type Sent } from './call.ts';
import type { Entry } from './optional.ts';
import type { Digits, IssuerKind, Side, Waiting } from './side.ts';

/** A is the attacker's app: everything of it is known to whoever attempts. B is the other one. */
export type World = {
  baseUrl: string;
  adminKey: string;
  a: Side;
  b: Side;
  /** A sign-in at B that the attacker has begun as any stranger may, and who there has asked for a link to the common address. */
  intruder: Waiting;
  /** Forms of B's where a code of a device is typed, opened just now. */
  entries: readonly Entry[];
  /** Six digits that each app mailed just now; undefined where nobody can read them, or nothing asks for them. */
  digits: { a: Digits; b: Digits } | undefined;
  /** Requests can come from many addresses, so that limits per network do not narrow the matrix. */
  isSpread: boolean;
};

/**
 * What an answer may be, beside a refusal: a `page` that shows nobody's data, `{active: false}`, `nothing` at all
 * (RFC 7009 §2.2), what is `public`, or data of the app that the credential belongs to (`own`).
 */
export type Allowed = 'refusal' | 'page' | 'inactive' | 'nothing' | 'public' | 'own';

export type Attempt = {
  route: Route;
  issuer: IssuerKind | undefined;
  /** Kind of the credential that crosses. */
  credential: string;
  how: string;
  request: Sent;
  allows: Allowed;
  /** Whose secrets must not be in the answer. */
  hides: 'a' | 'b';
  /** What must not be in the answer either, though it is no secret. */
  unlike?: readonly string[] | undefined;
};

/** Rules make the attempts at one route; undefined: this rule knows nothing of it. */
export type Rule = (world: World, route: Route) => Attempt[] | undefined;

export type Parts = {
  credential: string;
  how: string;
  /** Query of a GET, form of anything else. */
  fields?: Record<string, string>;
  json?: unknown;
  headers?: Record<string, string | undefined>;
  allows?: Allowed;
  hides?: 'a' | 'b';
  unlike?: readonly string[];
};

/** Where browsers send forms. */
const BROWSER = /\/(authorize|interaction|invitation|account|apis|device|logout|playground)(\/|$)/;

/** How one attempt at `url` is written for a route's method. */
export function attempt(
  at: { route: Route; issuer?: IssuerKind | undefined; url: string },
  parts: Parts,
): Attempt {
  const { route, issuer } = at;
  const { fields, json, credential, how, allows = 'refusal', hides = 'b', unlike } = parts;
  const url = new URL(at.url);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(parts.headers ?? {}))
    if (value !== undefined) headers[name] = value;
  let body: string | undefined;
  if (route.method === 'GET')
    for (const [name, value] of Object.entries(fields ?? {})) url.searchParams.set(name, value);
  else if (json !== undefined) {
    body = JSON.stringify(json);
    headers['content-type'] = 'application/json';
  } else if (fields) {
    body = new URLSearchParams(fields).toString();
    headers['content-type'] = FORM;
    // Clients send none, and one that is not allowed would be refused before anything else is looked at.
    if (BROWSER.test(route.path)) headers['origin'] ??= url.origin;
  }
  const request = { method: route.method, url: url.href, headers, body };
  return { route, issuer, credential, how, request, allows, hides, unlike };
}

/** A path of the table with its names filled in; undefined when one of them is not known. */
export function fill(path: string, values: Record<string, string>): string | undefined {
  let isKnown = true;
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) isKnown = false;
    return value ?? '';
  });
  return isKnown ? filled : undefined;
}

export const namesIn = (path: string): string[] => [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!);

export type Carried = { kind: string; value: string; fields: readonly string[] };

/** Every string that A gave somebody and that something might take for its own. */
export function carried({
  held,
  optional,
  first,
  service,
  waiting,
  user,
  ids,
  mailed,
  ...side
}: Side): Carried[] {
  const byIssuer = (['own', 'shared'] as const).flatMap((issuer): Carried[] => {
    const { tokens, code, service: robot, requestUri } = held[issuer];
    const { deviceCode, userCode, exchanged, bound } = optional.held[issuer];
    const anyToken = ['token', 'access_token', 'subject_token', 'actor_token'];
    return [
      { kind: `access token (${issuer})`, value: tokens.access_token, fields: anyToken },
      {
        kind: `refresh token (${issuer})`,
        value: tokens.refresh_token,
        fields: ['refresh_token', 'token', 'subject_token'],
      },
      {
        kind: `ID token (${issuer})`,
        value: tokens.id_token,
        fields: ['id_token_hint', 'token', 'subject_token', 'client_assertion', 'assertion'],
      },
      { kind: `code (${issuer})`, value: code, fields: ['code', 'token', 'device_code', 'auth_req_id'] },
      { kind: `pushed request (${issuer})`, value: requestUri, fields: ['request_uri', 'token'] },
      { kind: `service account token (${issuer})`, value: robot, fields: anyToken },
      { kind: `exchanged token (${issuer})`, value: exchanged, fields: anyToken },
      { kind: `DPoP-bound token (${issuer})`, value: bound, fields: anyToken },
      { kind: `device code (${issuer})`, value: deviceCode, fields: ['device_code', 'token'] },
      { kind: `user code (${issuer})`, value: userCode, fields: ['user_code', 'token'] },
    ];
  });
  return [
    ...byIssuer,
    { kind: 'client secret', value: first.secret, fields: ['client_secret', 'token'] },
    { kind: 'service account secret', value: service.secret, fields: ['client_secret', 'token'] },
    { kind: 'initial access token', value: side.registration.initialToken, fields: ['token'] },
    { kind: 'registration token', value: side.registration.token, fields: ['token'] },
    { kind: 'interaction', value: waiting.uid, fields: ['token', 'code', 'user_code'] },
    { kind: 'form token', value: waiting.csrf, fields: ['csrf', 'xsrf', 'token'] },
    { kind: 'session id', value: ids['session_id']!, fields: ['token', 'sid'] },
    { kind: 'user id', value: user.userId, fields: ['token', 'login_hint'] },
    ...(mailed
      ? [
          { kind: 'magic link', value: mailed.magicLink, fields: ['token', 'code'] },
          { kind: 'recovery link', value: mailed.reset, fields: ['token', 'code'] },
          { kind: 'sign-up link', value: mailed.signUp, fields: ['token', 'code'] },
          { kind: 'invitation', value: mailed.invitation, fields: ['token', 'code'] },
          { kind: 'link to a new address', value: mailed.newAddress, fields: ['token', 'code'] },
          { kind: 'link to take an address back', value: mailed.undoAddress, fields: ['token', 'code'] },
        ]
      : []),
  ];
}

export type CookieHeader = { credential: string; how: string; cookie: string };

/** A's cookies as A's browser has them, and with B's name in place of A's. */
export function carriedCookies(
  world: Pick<World, 'a' | 'b'>,
  of: readonly Cookie[],
  credential: string,
): CookieHeader[] {
  const { a, b } = world;
  const header = (rename: (name: string) => string) =>
    of.map(({ name, value }) => `${rename(name)}=${value}`).join('; ');
  return [
    { credential, how: 'under its own name', cookie: header((name) => name) },
    {
      credential,
      how: "under the other app's name",
      cookie: header((name) => name.replaceAll(`.${a.appId}`, `.${b.appId}`)),
    },
  ];
}

export const cookieOf = (of: readonly Cookie[]): string =>
  of.map(({ name, value }) => `${name}=${value}`).join('; ');

export const unguessable = (): string => randomBytes(18).toString('base64url');

export type Verdict = { isLeak: boolean; why: string } | undefined;
export type { Answer };
