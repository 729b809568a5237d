import { createHash, randomBytes } from 'node:crypto';
import type { Authenticator } from './authenticator.ts';
import { Browser, formOf, type Page } from './browser.ts';
import { basic, FORM, type Json, type Send } from './call.ts';
import type { ProvingKey } from './proofs.ts';

export type IssuerKind = 'own' | 'shared';
export const issuers: readonly IssuerKind[] = ['own', 'shared'];

/** What both apps are made with. */
export type Stage = {
  baseUrl: string;
  send: Send;
  admin: Admin;
  /** Texts of the mails to an address; undefined where nobody can read them. */
  mailbox: ((address: string) => Promise<string[]>) | undefined;
};

export type Admin = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Json>;

export type ClientKey = { clientId: string; secret: string };
export type Tokens = { access_token: string; refresh_token: string; id_token: string };

/** What an app's client holds at one issuer. */
export type Held = {
  tokens: Tokens;
  code: string;
  verifier: string;
  service: string;
  /** Of a pushed authorization request (RFC 9126), with the verifier of its own. */
  requestUri: string;
};

/** A sign-in that waits for its person, in a browser of its own. */
export type Waiting = { browser: Browser; uid: string; page: Page; csrf: string };

/** What only a mailbox gives. */
export type Mailed = {
  magicLink: string;
  /** Of the interaction that the links belong to. */
  waiting: Waiting;
  /** As shown in another browser; undefined where no such browser opened the link. */
  code: string | undefined;
  reset: string;
  signUp: string;
  invitation: string;
  /** Proves an address that is to take the place of another; takes that back. */
  newAddress: string;
  undoAddress: string;
};

/** What is off by default, and on in the throw-away apps. */
export type Optional = {
  key: ProvingKey;
  /** A native client that asks for devices. */
  device: string;
  /** A client that exchanges tokens. */
  gateway: ClientKey;
  /** A client that authenticates with the key. */
  prover: string;
  held: Record<IssuerKind, OptionalHeld>;
};

export type OptionalHeld = {
  deviceCode: string;
  userCode: string;
  /** What the gateway got for the user's token. */
  exchanged: string;
  /** An access token of the user that is worth something with a proof by the key alone. */
  bound: string;
};

/** Somebody who has a second factor, and what stands in for it. */
export type Guarded = {
  email: string;
  password: string;
  /** Signed in, and let off the second factor. */
  browser: Browser;
  deviceId: string;
  /** A sign-in whose first proof was shown. */
  pending: Waiting;
  recoveryCode: string;
  /** Of the authenticator app. */
  seed: string;
};

/** A sign-in that waits for six digits, and the digits, as they came by mail. */
export type Digits = { waiting: Waiting; code: string };

/** One of the two throw-away apps, with everything that could be carried to the other one. */
export type Side = {
  appId: string;
  redirectUri: string;
  first: ClientKey;
  further: ClientKey;
  service: ClientKey;
  user: { userId: string; email: string; password: string; name: string };
  /** Somebody whose address the other app does not know. */
  stranger: { userId: string; email: string; idempotencyKey: string };
  browser: Browser;
  /** A passkey of this user. Both apps are on one host, so the browser's own picker would offer it at either. */
  passkey: Authenticator;
  /** Somebody with a second factor. */
  guarded: Guarded;
  held: Record<IssuerKind, Held>;
  waiting: Waiting;
  /** A sign-in that is done but for the way back to the app. */
  finished: { browser: Browser; uid: string };
  mailed: Mailed | undefined;
  /** The form on the page that asks whether to sign out, as this app's user sees it. */
  signOut: Record<string, string>;
  /** What registers a client, and what one that registered itself manages itself with (RFC 7591, RFC 7592). */
  registration: { initialToken: string; tokenId: string; clientId: string; token: string };
  optional: Optional;
  /** Token of the forms on this user's account pages. */
  accountCsrf: string;
  /** Identifier of an API of this app. */
  api: string;
  /** Identifiers as the Admin API names them, by the name of the path parameter. */
  ids: Record<string, string>;
  cursor: string | undefined;
};

export const SCOPE = 'openid email profile offline_access';
const SCOPE_OF_SERVICE = 'orders:read';

export const issuerUrl = (baseUrl: string, appId: string, issuer: IssuerKind): string =>
  issuer === 'own' ? `${baseUrl}/auth/${appId}` : baseUrl;

export const challengeOf = (verifier: string): string =>
  createHash('sha256').update(verifier).digest('base64url');

export const random = (): string => randomBytes(33).toString('base64url');

export function authorizeUrl(
  issuer: string,
  side: Pick<Side, 'appId' | 'redirectUri'>,
  more: Record<string, string> = {},
): string {
  const query = new URLSearchParams({
    client_id: side.appId,
    response_type: 'code',
    redirect_uri: side.redirectUri,
    scope: SCOPE,
    state: 'state',
    nonce: 'nonce',
    code_challenge_method: 'S256',
    ...more,
  });
  return `${issuer}/authorize?${query.toString()}`;
}

/** Sends a browser to an app's sign-in and stops at its page. */
export async function beginSignIn(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri'>,
  browser: Browser = new Browser(stage.send, stage.baseUrl),
): Promise<Waiting> {
  const url = authorizeUrl(issuerUrl(stage.baseUrl, side.appId, 'own'), side, {
    code_challenge: challengeOf(random()),
    prompt: 'login',
  });
  const page = await browser.open(url);
  const uid = /\/interaction\/([^/]+)$/.exec(new URL(page.url).pathname)?.[1];
  if (uid === undefined) throw new Error(`no sign-in page for ${side.appId}: ${page.status} at ${page.url}`);
  return { browser, uid, page, csrf: formOf(page, '/password').fields['csrf'] ?? '' };
}

/** A code for somebody who is signed in, without a page. Not by `prompt=none`, which gives no offline access. */
export async function silentCode(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri' | 'browser'>,
  issuer: IssuerKind,
): Promise<{ code: string; verifier: string }> {
  const verifier = random();
  const page = await side.browser.open(
    authorizeUrl(issuerUrl(stage.baseUrl, side.appId, issuer), side, {
      code_challenge: challengeOf(verifier),
    }),
  );
  const code = new URL(page.url).searchParams.get('code');
  if (code === null) throw new Error(`no code for ${side.appId} at the ${issuer} issuer: ${page.url}`);
  return { code, verifier };
}

/** What the token endpoint answers an app's first client, or the client named. */
export async function askToken(
  stage: Stage,
  at: { appId: string; issuer: IssuerKind; client: ClientKey },
  form: Record<string, string>,
): Promise<Json> {
  const { status, json, text } = await stage.send({
    method: 'POST',
    url: `${issuerUrl(stage.baseUrl, at.appId, at.issuer)}/token`,
    headers: { authorization: basic(at.client.clientId, at.client.secret), 'content-type': FORM },
    body: new URLSearchParams(form).toString(),
  });
  if (status !== 200)
    throw new Error(`token endpoint of ${at.appId} (${at.issuer}): ${status} ${text.slice(0, 300)}`);
  return json!;
}

export async function hold(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri' | 'browser' | 'first' | 'service'>,
  issuer: IssuerKind,
): Promise<Held> {
  const at = { appId: side.appId, issuer };
  const first = await silentCode(stage, side, issuer);
  const tokens = await askToken(stage, { ...at, client: side.first }, redemption(side, first));
  const service = await askToken(
    stage,
    { ...at, client: side.service },
    { grant_type: 'client_credentials', scope: SCOPE_OF_SERVICE },
  );
  if (typeof tokens['refresh_token'] !== 'string') throw new Error(`${side.appId} got no refresh token`);
  const requestUri = await push(stage, side, issuer);
  return {
    tokens: tokens as Tokens,
    ...(await silentCode(stage, side, issuer)),
    service: String(service['access_token']),
    requestUri,
  };
}

export async function push(
  stage: Stage,
  side: Pick<Side, 'appId' | 'redirectUri' | 'first'>,
  issuer: IssuerKind,
): Promise<string> {
  const url = issuerUrl(stage.baseUrl, side.appId, issuer);
  const { search } = new URL(authorizeUrl(url, side, { code_challenge: challengeOf(random()) }));
  const { json, status } = await stage.send({
    method: 'POST',
    url: `${url}/par`,
    headers: { authorization: basic(side.first.clientId, side.first.secret), 'content-type': FORM },
    body: search.slice(1),
  });
  if (typeof json?.['request_uri'] !== 'string')
    throw new Error(`${side.appId} could not push a request: ${status}`);
  return json['request_uri'];
}

export const redemption = (
  side: Pick<Side, 'redirectUri'>,
  { code, verifier }: { code: string; verifier: string },
): Record<string, string> => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: side.redirectUri,
  code_verifier: verifier,
});

export { SCOPE_OF_SERVICE as serviceScope };

/** The same in both apps, so that an Idempotency-Key of one meets the same request at the other. */
export const newStranger = (email: string): object => ({ email, email_verified: true });
