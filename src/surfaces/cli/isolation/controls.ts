import { optionsOn } from './authenticator.ts';
import { Browser, type Cookie, formOf } from './browser.ts';
import { basic, FORM } from './call.ts';
import { optionalControls } from './optional.ts';
import { readRegistration, registerClient } from './registration.ts';
import { codeOf, withPassword } from './second-factor.ts';
import {
  askToken,
  beginSignIn,
  issuers,
  issuerUrl,
  push,
  redemption,
  type Side,
  silentCode,
  type Stage,
} from './side.ts';

export type Control = { app: string; what: string; works: boolean; why?: string };
type Check = [what: string, check: () => Promise<unknown>];

/**
 * Afterwards everything that was carried to the other app must still work at its own: a credential that was dead all
 * along proves nothing, and one that died on the way was killed from outside its app.
 */
export const controls = (stage: Stage, side: Side, as: string): Promise<Control[]> =>
  checked(as, [
    ...atIssuers(stage, side),
    ...signingIn(stage, side),
    ...registering(stage, side),
    ...optionalControls(stage, side),
    ...fromMails(stage, side),
  ]);

export async function checked(as: string, checks: readonly Check[]): Promise<Control[]> {
  const results: Control[] = [];
  for (const [what, check] of checks) {
    try {
      await check();
      results.push({ app: as, what, works: true });
    } catch (error) {
      results.push({ app: as, what, works: false, why: (error as Error).message.slice(0, 300) });
    }
  }
  return results;
}

function atIssuers(stage: Stage, side: Side): Check[] {
  return issuers.flatMap((issuer): Check[] => {
    const url = issuerUrl(stage.baseUrl, side.appId, issuer);
    const { tokens, service, ...pending } = side.held[issuer];
    const at = { appId: side.appId, issuer, client: side.first };
    return [
      [
        `access token (${issuer})`,
        () => expectUserinfo(stage, url, { token: tokens.access_token, userId: side.user.userId }),
      ],
      [`service account token (${issuer})`, () => expectActive(stage, { url, side, token: service })],
      [`ID token (${issuer})`, () => expectHint({ url, side, hint: tokens.id_token })],
      [`session cookie (${issuer})`, () => silentCode(stage, side, issuer)],
      [`code (${issuer})`, () => askToken(stage, at, redemption(side, pending))],
      [
        `refresh token (${issuer})`,
        () => askToken(stage, at, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
      ],
      [
        `service account (${issuer})`,
        () => askToken(stage, { ...at, client: side.service }, { grant_type: 'client_credentials' }),
      ],
    ];
  });
}

function signingIn(stage: Stage, side: Side): Check[] {
  const own = issuerUrl(stage.baseUrl, side.appId, 'own');
  return [
    [
      'finished interaction',
      () => arrive(side, side.finished.browser, `${own}/authorize/${side.finished.uid}`),
    ],
    [
      'interaction, form token and password',
      () => {
        const { csrf, uid, browser } = side.waiting;
        const { email, password } = side.user;
        return arrive(side, browser, `${own}/interaction/${uid}/password`, { csrf, email, password });
      },
    ],
    ['passkey', () => arriveByPasskey(stage, side)],
    ['recovery code', () => arriveByRecoveryCode(stage, side)],
    ['code of an authenticator app', () => arriveByTotp(stage, side)],
  ];
}

async function arriveByPasskey(stage: Stage, side: Side): Promise<void> {
  const { browser, page, csrf } = await beginSignIn(stage, side);
  const options = optionsOn(page.text);
  if (!options) throw new Error('no passkey is asked for');
  await arrive(side, browser, `${page.url}/passkey`, { csrf, credential: side.passkey.get(options) });
}

async function arriveByRecoveryCode(stage: Stage, side: Side): Promise<void> {
  const { browser, page } = await withPassword(stage, side, side.guarded);
  const form = formOf(await browser.open(page.url.replace(/totp$/, 'recovery-code')), '/recovery-code');
  await arrive(side, browser, form.action, { ...form.fields, code: side.guarded.recoveryCode });
}

async function arriveByTotp(stage: Stage, side: Side): Promise<void> {
  const { browser, page } = await withPassword(stage, side, side.guarded);
  const form = formOf(page, '/totp');
  // Of the half-minute to come: that of now may be the one it was set up with.
  await arrive(side, browser, form.action, { ...form.fields, code: codeOf(side.guarded.seed, 1) });
}

/** A browser that one app lets off the second factor is asked for it by the other, whatever name the cookie goes by. */
export function trustControls(stage: Stage, { a, b }: { a: Side; b: Side }): Promise<Control[]> {
  const letOff = async (cookies: readonly Cookie[]): Promise<boolean> => {
    const browser = new Browser(stage.send, stage.baseUrl);
    browser.take(cookies);
    const { page } = await withPassword(stage, b, b.guarded, browser);
    return page.url.startsWith(b.redirectUri);
  };
  const trust = (of: Side) => of.guarded.browser.cookies().filter(({ name }) => name.includes('lk_trust'));
  const renamed = trust(a).map((one) => ({ ...one, name: one.name.replaceAll(a.appId, b.appId) }));
  const expect = async (cookies: readonly Cookie[], due: boolean): Promise<void> => {
    if (cookies.length === 0 || (await letOff(cookies)) !== due)
      throw new Error(`the browser was ${due ? 'not ' : ''}let off`);
  };
  return checked('b', [
    ['trusted browser', () => expect(trust(b), true)],
    ["second factor for the other app's trusted browser", () => expect(trust(a), false)],
    ["second factor for it under the app's own name", () => expect(renamed, false)],
  ]);
}

function registering(stage: Stage, side: Side): Check[] {
  return [
    ['registration token', () => readRegistration(stage, side)],
    ['initial access token', () => registerClient(stage, side, side.registration.initialToken)],
    ['account form token', () => expectAccountForm(stage, side)],
  ];
}

/** A form with nothing behind it, so that it is only the token that is asked about. */
async function expectAccountForm(stage: Stage, { appId, browser, accountCsrf }: Side): Promise<void> {
  const url = `${stage.baseUrl}/auth/${appId}/account/apps/none/end`;
  const { location, status } = await browser.ask(url, { csrf: accountCsrf });
  if (location === undefined || !location.includes('/account/apps'))
    throw new Error(`the form answered ${status}`);
}

function fromMails(stage: Stage, side: Side): Check[] {
  const { mailed } = side;
  if (!mailed) return [];
  const own = issuerUrl(stage.baseUrl, side.appId, 'own');
  const { browser, uid, csrf } = mailed.waiting;
  const at = `${own}/interaction/${uid}`;
  const readable = (url: string) => async () => {
    const page = await browser.open(url);
    if (page.status !== 200) throw new Error(`${page.status} at ${new URL(url).pathname.split('/').at(-2)}`);
  };
  return [
    ['recovery link', readable(`${at}/reset/${mailed.reset}`)],
    ['sign-up link', readable(`${at}/sign-up/${mailed.signUp}`)],
    ['invitation', readable(`${own}/invitation/${mailed.invitation}`)],
    ['link to a new address', readable(`${own}/account/identifiers/confirm/${mailed.newAddress}`)],
    ['link to take an address back', readable(`${own}/account/identifiers/undo/${mailed.undoAddress}`)],
    ['magic link', readable(`${at}/magic-link/${mailed.magicLink}`)],
    ['mailed code', () => arrive(side, browser, `${at}/magic-link/code`, { csrf, code: mailed.code ?? '' })],
  ];
}

/** A pushed request lives for a minute at most, so it is made anew for the routes that it is tried at, and used right behind. */
export async function pushAnew(stage: Stage, side: Side, as: string): Promise<() => Promise<Control[]>> {
  for (const issuer of issuers) side.held[issuer].requestUri = await push(stage, side, issuer);
  return () =>
    checked(
      as,
      issuers.map((issuer): Check => {
        const query = new URLSearchParams({
          client_id: side.appId,
          request_uri: side.held[issuer].requestUri,
        });
        const url = `${issuerUrl(stage.baseUrl, side.appId, issuer)}/authorize?${query.toString()}`;
        return [`pushed request (${issuer})`, () => arrive(side, side.browser, url)];
      }),
    );
}

export async function arrive(
  side: Side,
  browser: Browser,
  url: string,
  form?: Record<string, string>,
): Promise<void> {
  const page = await browser.open(url, form);
  if (!page.url.startsWith(side.redirectUri) || !new URL(page.url).searchParams.has('code'))
    throw new Error(`no code: ${page.status} at ${page.url.slice(0, 200)}`);
}

async function expectUserinfo(
  stage: Stage,
  url: string,
  { token, userId }: { token: string; userId: string },
) {
  const { json, status } = await stage.send({
    method: 'GET',
    url: `${url}/userinfo`,
    headers: { authorization: `Bearer ${token}` },
  });
  if (json?.['sub'] !== userId) throw new Error(`userinfo answered ${status}`);
}

async function expectActive(stage: Stage, at: { url: string; side: Side; token: string }) {
  const { json, status } = await stage.send({
    method: 'POST',
    url: `${at.url}/introspect`,
    headers: { authorization: basic(at.side.first.clientId, at.side.first.secret), 'content-type': FORM },
    body: new URLSearchParams({ token: at.token }).toString(),
  });
  if (json?.['active'] !== true) throw new Error(`introspection answered ${status} ${JSON.stringify(json)}`);
}

/** The page that asks whether to sign out is shown for the hint's own app; a hint it does not know is refused. */
async function expectHint(at: { url: string; side: Side; hint: string }) {
  const { status } = await at.side.browser.open(`${at.url}/logout?id_token_hint=${at.hint}`);
  if (status !== 200) throw new Error(`sign-out answered ${status}`);
}
