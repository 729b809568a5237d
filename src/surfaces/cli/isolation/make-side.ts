import { Authenticator, optionsOn } from './authenticator.ts';
import { Browser, formOf } from './browser.ts';
import { linkIn } from './mailbox.ts';
import { moving } from './moving.ts';
import { makeOptional, optionalFeatures } from './optional.ts';
import { guardSomebody } from './second-factor.ts';
import { registerItself } from './registration.ts';
import {
  beginSignIn,
  hold,
  type Mailed,
  random,
  newStranger,
  serviceScope,
  type Side,
  type Stage,
  type Waiting,
} from './side.ts';

/** Long enough for a slow run; the defaults would let a code die before it was tried. */
const LIFETIMES = { code_ttl: 600, magic_link_ttl: 3600, reset_ttl: 3600, access_token_ttl: 3600 };
/** Attempts that come from one network must not be refused for their number. */
const REGISTRATION = {
  dynamic_registration: 'initial_access_token',
  registered_clients: { per_network_per_hour: 1000 },
};

/**
 * Makes an app through the Admin API and signs somebody in, as an ordinary deployment would. `email` is the same in
 * both apps: whatever is looked up by address must still not meet the other one's person.
 */
export async function makeSide(stage: Stage, appId: string, email: string): Promise<Side> {
  const { admin } = stage;
  const redirectUri = `https://${appId}.example/callback`;
  const web = { type: 'web', redirect_uris: [redirectUri] };
  const post_logout_redirect_uris = [`https://${appId}.example/signed-out`];
  const app = await admin('POST', '/apps', {
    app_id: appId,
    name: `App ${appId}`,
    ...web,
    post_logout_redirect_uris,
    settings: { ...LIFETIMES, ...REGISTRATION, features: optionalFeatures, methods: { email_code: true } },
  });
  const first = { clientId: appId, secret: String(app['client_secret']) };
  const further = await newClient(stage, appId, { name: 'Further', ...web });
  const service = await newClient(stage, appId, { name: 'Robot', type: 'service', scopes: [serviceScope] });
  const api = `https://${appId}.example/api`;
  const password = random();
  const name = `Person ${random()}`;
  const made = await admin('POST', `/apps/${appId}/users`, {
    email,
    password,
    email_verified: true,
    profile: { name },
  });
  const user = { userId: String(made['user_id']), email, password, name };
  const strangerEmail = `stranger-${random().toLowerCase()}@example.com`;
  const idempotencyKey = random();
  const other = await admin('POST', `/apps/${appId}/users`, newStranger(strangerEmail), {
    'idempotency-key': idempotencyKey,
  });
  const stranger = { userId: String(other['user_id']), email: strangerEmail, idempotencyKey };

  const browser = await signIn(stage, { appId, redirectUri, user }, true);
  const finished = await signIn(stage, { appId, redirectUri, user }, false);
  const known = { appId, redirectUri, first, further, service, user, stranger, browser: browser.browser };
  const passkey = await addPasskey(stage, known);
  const held = { own: await hold(stage, known, 'own'), shared: await hold(stage, known, 'shared') };
  const guarded = await guardSomebody(stage, { appId, redirectUri });
  const registration = await registerItself(stage, known);
  return {
    ...known,
    passkey,
    guarded,
    held,
    optional: await makeOptional(stage, { ...known, held }),
    waiting: await beginSignIn(stage, known),
    finished: { browser: finished.browser, uid: finished.uid },
    mailed: await mailed(stage, known),
    signOut: formOf(await known.browser.open(`${stage.baseUrl}/auth/${appId}/logout`), '/logout/confirm')
      .fields,
    registration,
    accountCsrf: await csrfOfAccount(stage, known),
    api,
    ...(await identifiers(stage, known, { api, guarded, tokenId: registration.tokenId })),
  };
}

async function addPasskey(
  { baseUrl }: Stage,
  { appId, browser }: Pick<Side, 'appId' | 'browser'>,
): Promise<Authenticator> {
  const page = await browser.open(`${baseUrl}/auth/${appId}/account/passkeys/new`);
  const options = optionsOn(page.text);
  if (!options) throw new Error(`no passkey can be made at ${page.url}: ${page.status}`);
  const authenticator = new Authenticator(new URL(baseUrl).origin);
  const form = formOf(page, '/passkeys/new');
  const done = await browser.ask(form.action, { ...form.fields, credential: authenticator.create(options) });
  if (!done.location?.includes('passkey_added')) throw new Error(`no passkey was added: ${done.status}`);
  return authenticator;
}

async function csrfOfAccount(
  stage: Stage,
  { appId, browser }: Pick<Side, 'appId' | 'browser'>,
): Promise<string> {
  const page = await browser.open(`${stage.baseUrl}/auth/${appId}/account/apps`);
  return formOf(page, '/end').fields['csrf'] ?? '';
}

async function newClient(stage: Stage, appId: string, client: object) {
  const made = await stage.admin('POST', `/apps/${appId}/clients`, client);
  return { clientId: String(made['client_id']), secret: String(made['client_secret']) };
}

/** By password; `through`: back to the app, else only until the result is recorded. */
async function signIn(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri' | 'user'>,
  through: boolean,
): Promise<Waiting> {
  const waiting = await beginSignIn(stage, side);
  const { browser, page } = waiting;
  const form = formOf(page, '/password');
  const fields = { ...form.fields, email: side.user.email, password: side.user.password };
  const done = await (through ? browser.open(form.action, fields) : browser.ask(form.action, fields));
  const isRight = through ? done.url.startsWith(side.redirectUri) : done.location?.includes('/authorize/');
  if (!isRight) throw new Error(`nobody could sign in to ${side.appId}: ${done.status} at ${done.url}`);
  return waiting;
}

/** One of everything, as a path of the Admin API names it. */
async function identifiers(
  stage: Stage,
  side: Pick<Side, 'appId' | 'user' | 'further'>,
  { api, guarded, tokenId }: Pick<Side, 'api' | 'guarded'> & { tokenId: string },
): Promise<Pick<Side, 'ids' | 'cursor'>> {
  const { admin } = stage;
  const app = `/apps/${side.appId}`;
  const user = `${app}/users/${side.user.userId}`;
  const first = async (path: string, name: string): Promise<string> =>
    String((await admin('GET', path)).items?.[0]?.[name]);
  const client = `${app}/clients/${side.further.clientId}`;
  const { api_id } = await admin('POST', `${app}/apis`, {
    identifier: api,
    name: 'Orders',
    scopes: [{ name: 'stock:read', description: 'See the stock' }],
  });
  const page = await admin('GET', `${app}/users?limit=1`);
  return {
    ids: {
      user_id: side.user.userId,
      sub: side.user.userId,
      client_id: side.further.clientId,
      secret_id: await first(`${client}/secrets`, 'secret_id'),
      session_id: await first(`${user}/sessions`, 'session_id'),
      passkey_id: await first(`${user}/passkeys`, 'passkey_id'),
      device_id: guarded.deviceId,
      grant_id: await first(`${user}/grants`, 'grant_id'),
      api_id: String(api_id),
      token_id: tokenId,
      key_id: await first(`${app}/keys`, 'kid'),
      kid: await first(`${app}/keys`, 'kid'),
    },
    cursor: page.next ?? undefined,
  };
}

/** Asks for one mail of each kind, in the user's own browser: a stranger's request does not kill a link asked for there. */
async function mailed(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri' | 'user' | 'browser'>,
): Promise<Mailed | undefined> {
  if (!stage.mailbox) return undefined;
  const { appId, user } = side;
  const waiting = await beginSignIn(stage, side, side.browser);
  const { browser, csrf, uid } = waiting;
  const at = `${stage.baseUrl}/auth/${appId}/interaction/${uid}`;
  const newcomer = `newcomer-${random().toLowerCase()}@example.com`;
  const guest = `guest-${random().toLowerCase()}@example.com`;
  await browser.ask(`${at}/magic-link`, { csrf, email: user.email });
  await browser.ask(`${at}/forgot`, { csrf, email: user.email });
  await browser.ask(`${at}/sign-up`, { csrf, email: newcomer, password: random() });
  await stage.admin('POST', `/apps/${appId}/users`, { email: guest, send_invitation: true });
  const link = async (address: string, kind: string): Promise<string> =>
    linkIn(stage.mailbox!, address, `/auth/${appId}/[^\\s]*?${kind}/([A-Za-z0-9_-]{20,})`);
  const magicLink = await link(user.email, 'magic-link');
  const elsewhere = await new Browser(stage.send, stage.baseUrl).open(`${at}/magic-link/${magicLink}`);
  return {
    magicLink,
    waiting,
    code: /class="digits" value="(\d{6})"/.exec(elsewhere.text)?.[1],
    reset: await link(user.email, 'reset'),
    signUp: await link(newcomer, 'sign-up'),
    invitation: await link(guest, 'invitation'),
    ...(await moving(stage, side)),
  };
}
