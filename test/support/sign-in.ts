import * as oidc from 'openid-client';
import type { Agent, Page } from './agent.ts';
import type { TestLatchkey } from './app.ts';

export const PASSWORD = 'correct horse battery staple';
export const REDIRECT = 'http://localhost:1/callback';
export const SIGNED_OUT = 'http://localhost:1/signed-out';

export type TestClient = { appId: string; clientId: string; secret: string | undefined };

/** An app with its first client, made through the Admin API. */
export async function makeApp(
  latchkey: TestLatchkey,
  appId: string,
  more: Record<string, unknown> = {},
): Promise<TestClient> {
  const created = await latchkey.admin('POST', '/apps', {
    app_id: appId,
    name: appId.toUpperCase(),
    type: 'web',
    redirect_uris: [REDIRECT],
    post_logout_redirect_uris: [SIGNED_OUT],
    ...more,
  });
  if (created.status !== 201)
    throw new Error(`app ${appId}: ${created.status} ${JSON.stringify(created.body)}`);
  return { appId, clientId: appId, secret: created.body.client_secret };
}

export async function makeUser(
  latchkey: TestLatchkey,
  appId: string,
  email: string,
  more: Record<string, unknown> = {},
): Promise<string> {
  const created = await latchkey.admin('POST', `/apps/${appId}/users`, {
    email,
    password: PASSWORD,
    email_verified: true,
    ...more,
  });
  if (created.status !== 201)
    throw new Error(`user ${email}: ${created.status} ${JSON.stringify(created.body)}`);
  return created.body.user_id;
}

export const issuerOf = (latchkey: TestLatchkey, appId: string, kind: 'own' | 'shared'): string =>
  kind === 'own' ? `${latchkey.baseUrl}/auth/${appId}` : latchkey.baseUrl;

export function discover(
  latchkey: TestLatchkey,
  client: TestClient,
  kind: 'own' | 'shared',
): Promise<oidc.Configuration> {
  return oidc.discovery(
    new URL(issuerOf(latchkey, client.appId, kind)),
    client.clientId,
    client.secret,
    client.secret ? undefined : oidc.None(),
    {
      execute: [oidc.allowInsecureRequests],
    },
  );
}

export type Request = { url: URL; verifier: string; state: string; nonce: string };

/** `build` sends it otherwise than in the query: pushed, signed. */
export async function authorizationRequest(
  configuration: oidc.Configuration,
  parameters: Record<string, string> = {},
  build: (
    configuration: oidc.Configuration,
    parameters: Record<string, string>,
  ) => URL | Promise<URL> = oidc.buildAuthorizationUrl,
): Promise<Request> {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const url = await build(configuration, {
    redirect_uri: REDIRECT,
    scope: 'openid email profile offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...parameters,
  });
  return { url, verifier, state, nonce };
}

/** Through the hosted pages, without scripts. The answer's URL is the redirect URI with its parameters. */
export async function signInByPassword(
  agent: Agent,
  request: Request,
  email: string,
  password = PASSWORD,
): Promise<Page> {
  const page = await agent.open(request.url.href);
  if (!page.url.startsWith(agent.origin)) return page;
  return agent.submit(page, { email, password }, { ending: '/password' });
}

export function redeem(
  configuration: oidc.Configuration,
  request: Request,
  callback: string,
): Promise<oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers> {
  return oidc.authorizationCodeGrant(configuration, new URL(callback), {
    pkceCodeVerifier: request.verifier,
    expectedState: request.state,
    expectedNonce: request.nonce,
  });
}

/** Signs in and redeems: what most tests begin with. */
export async function signedIn(
  latchkey: TestLatchkey,
  client: TestClient,
  at: { email: string; kind?: 'own' | 'shared'; agent?: Agent; parameters?: Record<string, string> },
) {
  const agent = at.agent ?? latchkey.agent();
  const configuration = await discover(latchkey, client, at.kind ?? 'shared');
  const request = await authorizationRequest(configuration, at.parameters);
  const page = await signInByPassword(agent, request, at.email);
  return {
    agent,
    configuration,
    request,
    callback: page.url,
    tokens: await redeem(configuration, request, page.url),
  };
}
