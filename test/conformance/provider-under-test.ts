import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { type Agent, formsOf, type Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey, type TestOptions } from '../support/app.ts';
import { issuerOf, makeApp, makeUser, PASSWORD, REDIRECT, type TestClient } from '../support/sign-in.ts';
import { type Answer, basic, call } from '../support/token-calls.ts';

export const EMAIL = 'ada@example.com';
export const PROFILE = {
  name: 'Ada Lovelace',
  given_name: 'Ada',
  family_name: 'Lovelace',
  middle_name: 'King',
  nickname: 'Countess',
  preferred_username: 'ada',
  profile: 'https://ada.example.com/',
  picture: 'https://ada.example.com/portrait.png',
  website: 'https://ada.example.com/blog',
  gender: 'female',
  birthdate: '1815-12-10',
  zoneinfo: 'Europe/London',
  address: { formatted: '12 St James’s Square', locality: 'London', country: 'GB' },
};

/** What the suite is told of the provider: a discovery document, a user, and clients that were registered for it. */
export type Subject = {
  latchkey: TestLatchkey;
  issuer: string;
  metadata: Record<string, any>;
  userId: string;
  client: TestClient;
  client2: TestClient;
  postClient: TestClient;
};

/** An app set up as docs/conformance.md says. */
export async function startSubject(options: TestOptions = {}): Promise<Subject> {
  const latchkey = await startTestLatchkey(options);
  const client = await makeApp(latchkey, 'suite', {
    settings: { features: { claims_parameter: true, authorize_by_post: true } },
  });
  await latchkey.admin('PATCH', '/apps/suite/clients/suite', { settings: { pkce_required: false } });
  const makeClient = async (settings: Record<string, unknown>): Promise<TestClient> => {
    const made = await latchkey.admin('POST', '/apps/suite/clients', {
      name: 'Another client',
      type: 'web',
      redirect_uris: [REDIRECT],
      settings: { pkce_required: false, ...settings },
    });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    return { appId: 'suite', clientId: made.body.client_id, secret: made.body.client_secret };
  };
  const issuer = issuerOf(latchkey, 'suite', 'own');
  return {
    latchkey,
    issuer,
    metadata: (await call(`${issuer}/.well-known/openid-configuration`)).body,
    userId: await makeUser(latchkey, 'suite', EMAIL, {
      phone: '+442079460000',
      locale: 'en-GB',
      profile: PROFILE,
    }),
    client,
    client2: await makeClient({}),
    postClient: await makeClient({ token_endpoint_auth_method: 'client_secret_post' }),
  };
}

export type Request = { url: string; parameters: Record<string, string> };

/** An authorization request of the suite's: no PKCE. What is undefined is left out. */
export function authorizationRequest(
  { metadata, client }: Subject,
  more: Record<string, string | undefined> = {},
): Request {
  const all: Record<string, string | undefined> = {
    client_id: client.clientId,
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope: 'openid',
    state: randomBytes(12).toString('base64url'),
    nonce: randomBytes(12).toString('base64url'),
    ...more,
  };
  const parameters = Object.fromEntries(
    Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  return { url: `${metadata['authorization_endpoint']}?${new URLSearchParams(parameters)}`, parameters };
}

export const isSignIn = (page: Page): boolean =>
  page.status === 200 && formsOf(page).some(({ action }) => action.endsWith('/password'));

export const signInOn = (agent: Agent, page: Page): Promise<Page> =>
  agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });

/** What came to the redirect URI, in the mode that was asked for and at the registered address alone. */
export function responseOf(page: Page, { parameters }: Request): Record<string, string> {
  let response: Record<string, string>;
  if (parameters['response_mode'] === 'form_post') {
    const form = formsOf(page).find(({ action, method }) => method === 'post' && action === REDIRECT);
    expect(form, `${page.status} ${page.url}\n${page.html.slice(0, 1000)}`).to.be.an('object');
    response = form!.fields;
  } else {
    const url = new URL(page.url);
    expect(url.origin + url.pathname, page.html.slice(0, 1000)).to.equal(REDIRECT);
    expect(url.hash).to.equal('');
    response = Object.fromEntries(url.searchParams);
  }
  expect(response['state']).to.equal(parameters['state']);
  return response;
}

export type Authorized = { request: Request; response: Record<string, string>; wasAsked: boolean };

/** Through the authorization endpoint, signing in where a page asks for it. */
export async function authorize(
  subject: Subject,
  agent: Agent,
  more: Record<string, string | undefined> = {},
): Promise<Authorized> {
  const request = authorizationRequest(subject, more);
  let page = await agent.open(request.url);
  const wasAsked = isSignIn(page);
  if (wasAsked) page = await signInOn(agent, page);
  return { request, response: responseOf(page, request), wasAsked };
}

/** Redeems a code with client_secret_basic. */
export const redeem = (subject: Subject, code: string, more: Record<string, string> = {}): Promise<Answer> =>
  tokenCall(subject, subject.client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    ...more,
  });

export const tokenCall = (
  { metadata }: Subject,
  client: TestClient,
  form: Record<string, string>,
): Promise<Answer> =>
  call(metadata['token_endpoint'], {
    method: 'POST',
    headers: basic(client),
    body: new URLSearchParams(form),
  });

export type Flow = Authorized & { tokens: any; claims: JWTPayload };

/** The whole code flow, with every check that the suite makes in all of its modules. */
export async function flow(
  subject: Subject,
  agent: Agent,
  more: Record<string, string | undefined> = {},
): Promise<Flow> {
  const authorized = await authorize(subject, agent, more);
  const { request, response } = authorized;
  expect(response, JSON.stringify(response)).to.not.have.property('error');
  // RFC 9207, and nothing of the other flows.
  expect(response['iss']).to.equal(subject.issuer);
  expect(response).to.not.have.any.keys('access_token', 'id_token', 'token_type');
  // RFC 6749 §10.10: 128 bits.
  expect(Buffer.from(response['code']!, 'base64url')).to.have.length.of.at.least(16);
  const answer = await redeem(subject, response['code']!);
  const claims = await checkTokens(subject, answer, { request, clientId: subject.client.clientId });
  return { ...authorized, tokens: answer.body, claims };
}

/** RFC 6749 §5.1 and OIDC Core §3.1.3.7. */
export async function checkTokens(
  subject: Subject,
  { status, headers, body, text }: Answer,
  { request, clientId }: { request: Request; clientId: string },
): Promise<JWTPayload> {
  expect(status, text).to.equal(200);
  expect(headers.get('content-type')).to.match(/^application\/json/);
  expect(headers.get('cache-control')).to.include('no-store');
  expect(body.token_type).to.match(/^bearer$/i);
  expect(body.expires_in).to.be.within(1, 86_400);
  const claims = await verifiedIdToken(subject, body.id_token, clientId);
  expect(claims['nonce']).to.equal(request.parameters['nonce']);
  expect(claims.sub).to.equal(subject.userId);
  return claims;
}

/** OP-IDToken-Signature, OP-IDToken-kid: RS256 by a published key that its `kid` names. */
export async function verifiedIdToken(
  { issuer, metadata }: Subject,
  idToken: string,
  clientId: string,
): Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL(metadata['jwks_uri']));
  const { payload, protectedHeader } = await jwtVerify(idToken, keys, {
    issuer,
    audience: clientId,
    algorithms: ['RS256'],
    requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
  });
  expect(protectedHeader.kid).to.be.a('string');
  expect(payload.sub).to.match(/^[\x21-\x7e]{1,255}$/);
  expect(payload.iat).to.be.closeTo(Date.now() / 1000, 60);
  return payload;
}

export const userinfo = ({ metadata }: Subject, accessToken: string): Promise<Answer> =>
  call(metadata['userinfo_endpoint'], { headers: { authorization: `Bearer ${accessToken}` } });

export const soon = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Nobody is signed in any more: `prompt=none` says so. */
export async function expectSignedOut(subject: Subject, agent: Agent): Promise<void> {
  const { response } = await authorize(subject, agent, { prompt: 'none' });
  expect(response['error']).to.equal('login_required');
}

/** An error that a person sees, with nothing sent to anybody's address. */
export function expectErrorPage(page: Page, issuer: string): void {
  expect([page.status, page.url.startsWith(issuer)], page.url).to.deep.equal([400, true]);
  expect(page.headers.get('location')).to.equal(null);
  expect(page.headers.get('content-type')).to.match(/^text\/html/);
}
