import type { Route } from '../../../http/route-table.ts';
import {
  type Attempt,
  attempt,
  carried,
  carriedCookies,
  cookieOf,
  fill,
  namesIn,
  unguessable,
  type World,
} from './attempt.ts';
import { optionsOn } from './authenticator.ts';
import type { Cookie } from './browser.ts';
import { byEmailCode } from './email-code.ts';
import { codeOf } from './second-factor.ts';
import type { Waiting } from './side.ts';

const PAGE = /^\/auth\/:app_id\/(interaction|invitation|device|apis)(\/|$)/;

/** Where somebody stands: an interaction, the cookies that come along, and the token of its forms. */
type Stand = { credential: string; how: string; uid: string; cookie: string; csrf: string };

/** Attempts at the hosted pages of B, also at those that are yet to be written: every step is tried in the same way. */
export function pageRule(world: World, route: Route): Attempt[] | undefined {
  if (!PAGE.test(route.path)) return undefined;
  const { a, b, baseUrl } = world;
  const names = namesIn(route.path);
  const stands = names.includes('uid') ? steps(world, route) : browsers(world);
  const secrets = names.includes('secret') ? secretsIn(world) : [{ kind: '', value: '' }];
  const attempts = stands.flatMap((stand) =>
    secrets.map(({ kind, value }) => {
      const path = fill(route.path, { ...a.ids, app_id: b.appId, uid: stand.uid, secret: value });
      if (path === undefined) return undefined;
      return attempt(
        { route, url: baseUrl + path },
        {
          credential: kind || stand.credential,
          how: kind ? `in the address, ${stand.credential} ${stand.how}` : stand.how,
          fields: route.method === 'GET' ? {} : formOfA(world, stand.csrf),
          headers: { cookie: stand.cookie },
        },
      );
    }),
  );
  return attempts.includes(undefined)
    ? undefined
    : [
        ...(attempts as Attempt[]),
        ...byPasskey(world, route),
        ...bySecondFactor(world, route),
        ...byEmailCode(world, route),
      ];
}

/** A's user picks the passkey for A where B asks for one: on one host nothing but B itself keeps it out. */
function byPasskey({ a, b, baseUrl, intruder }: World, route: Route): Attempt[] {
  if (route.method !== 'POST' || !route.path.endsWith('/passkey')) return [];
  const url = baseUrl + fill(route.path, { app_id: b.appId, uid: intruder.uid })!;
  const headers = { cookie: cookieOf(intruder.browser.cookies()) };
  const where = 'at a sign-in of the other app that the attacker began';
  return [
    { how: where, credential: answerOf(a, intruder) },
    { how: `signed for its own app, ${where}`, credential: answerOf(a, a.waiting) },
  ].map(({ how, credential }) =>
    attempt(
      { route, url },
      { credential: 'passkey', how, headers, fields: { csrf: intruder.csrf, credential } },
    ),
  );
}

/** Somebody who knows a password of B has got as far as the second factor there, and holds what A would take for one. */
function bySecondFactor({ a, b, baseUrl }: World, route: Route): Attempt[] {
  if (route.method !== 'POST' || !route.path.includes('/second-factor/')) return [];
  const { pending } = b.guarded;
  const url = baseUrl + fill(route.path, { app_id: b.appId, uid: pending.uid })!;
  const trusted = a.guarded.browser.cookies().filter(({ name }) => name.includes('lk_trust'));
  const headers = { cookie: cookieOf([...pending.browser.cookies(), ...trusted]) };
  const how = 'at a pending sign-in of the other app, with the trusted device of its own';
  return [
    { credential: 'recovery code', code: a.guarded.recoveryCode },
    { credential: 'code of an authenticator app', code: codeOf(a.guarded.seed) },
  ].map(({ credential, code }) =>
    attempt({ route, url }, { credential, how, headers, fields: { csrf: pending.csrf, code } }),
  );
}

const answerOf = ({ passkey }: World['a'], { page }: Waiting): string =>
  passkey.get(optionsOn(page.text) ?? { challenge: 'none', rpId: 'localhost' });

/** At the page of an interaction of A; and where a secret is asked for, at an interaction of B that the attacker began. */
function steps(world: World, { path }: Route): Stand[] {
  const { a, intruder } = world;
  const session = a.browser.cookies();
  const begun = [
    { credential: 'interaction', of: a.waiting, csrf: a.waiting.csrf },
    { credential: 'pending sign-in', of: a.guarded.pending, csrf: a.guarded.pending.csrf },
    { credential: 'finished interaction', of: a.finished, csrf: a.waiting.csrf },
    ...(a.mailed
      ? [{ credential: 'interaction of a mailed link', of: a.mailed.waiting, csrf: a.mailed.waiting.csrf }]
      : []),
  ];
  const asA = begun.flatMap(({ credential, of, csrf }) =>
    carriedCookies(world, [...of.browser.cookies(), ...session], credential).map((one) => ({
      ...one,
      uid: of.uid,
      csrf,
    })),
  );
  const takesSecret = path.endsWith(':secret') || /\/(password|code)$/.test(path);
  if (!takesSecret) return asA;
  const own = path.endsWith('/password')
    ? 'password'
    : path.endsWith('/code')
      ? 'mailed code'
      : 'mailed secret';
  const asStranger = {
    credential: own,
    how: 'at a sign-in of the other app that the attacker began',
    uid: intruder.uid,
    cookie: cookieOf(intruder.browser.cookies()),
    csrf: intruder.csrf,
  };
  return [...asA, asStranger];
}

/** Pages that belong to no interaction. */
function browsers(world: World): Stand[] {
  const { a } = world;
  const all: readonly Cookie[] = [...a.browser.cookies(), ...a.waiting.browser.cookies()];
  return carriedCookies(world, all, 'session cookie').map((one) => ({
    ...one,
    uid: a.waiting.uid,
    csrf: a.waiting.csrf,
  }));
}

const secretsIn = ({ a }: World) =>
  carried(a).filter(({ kind }) => /link|invitation|^code|ID token|interaction/.test(kind));

/** Everything that a form of ours asks for, as A would fill it in. Unknown fields have no effect. */
function formOfA({ a }: World, csrf: string): Record<string, string> {
  const password = unguessable();
  return {
    csrf,
    email: a.user.email,
    password: a.user.password,
    code: a.mailed?.code ?? '000000',
    user_code: a.waiting.uid,
    new_password: password,
    decision: 'allow',
    credential: answerOf(a, a.waiting),
  };
}
