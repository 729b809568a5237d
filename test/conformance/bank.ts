import { expect } from 'chai';
import { calculateJwkThumbprint, decodeJwt, type JWK } from 'jose';
import * as oidc from 'openid-client';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { ASSERTION_TYPE, makeAssertion, makePair, type SigningPair } from '../support/assertions.ts';
import { certificates } from '../support/certificates.ts';
import { proof, type ProofKey, proofKey, type ProofParts } from '../support/dpop.ts';
import { issuerOf, makeApp, makeUser, PASSWORD } from '../support/sign-in.ts';
import { type Answer, call } from '../support/token-calls.ts';

export const EMAIL = 'ada@example.com';
export const CALLBACK = 'https://bank.example/callback';

/** How a client shows that a token is its own: by a DPoP key, or by its certificate, which a proxy passes on. */
export type Holder = {
  scheme: 'DPoP' | 'Bearer';
  tokenType: RegExp;
  cnf(): Promise<object>;
  headers(parts: ProofParts & { htu: string }): Promise<Record<string, string>>;
};

export function holderOfKey(key: ProofKey): Holder {
  return {
    scheme: 'DPoP',
    tokenType: /^DPoP$/i,
    cnf: async () => ({ jkt: await calculateJwkThumbprint(key.publicJwk as JWK) }),
    headers: async (parts) => ({ dpop: await proof(key, parts) }),
  };
}

export function holderOfCertificate(name: keyof typeof certificates): Holder {
  return {
    scheme: 'Bearer',
    tokenType: /^Bearer$/i,
    cnf: async () => ({}),
    headers: async () => ({ 'client-cert': `:${certificates[name]}:` }),
  };
}

export type BankClient = { clientId: string; keys: SigningPair; holder: Holder };
export type Bank = { latchkey: TestLatchkey; issuer: string; metadata: Record<string, any>; userId: string };

/** An app under the FAPI 2.0 Security Profile, as docs/conformance.md makes it, and two clients for each way. */
export async function openBank(): Promise<Bank & { dpop: BankClient[]; mtls: BankClient[] }> {
  const latchkey = await startTestLatchkey({
    env: { MTLS_CERTIFICATE_HEADER: 'Client-Cert', TRUSTED_PROXIES: '127.0.0.0/8,::1/128' },
  });
  await makeApp(latchkey, 'bank', {
    redirect_uris: [CALLBACK],
    post_logout_redirect_uris: [],
    settings: { signing_algorithm: 'ES256' },
  });
  const made: BankClient[] = [];
  for (const [clientId, holder] of [
    ['bank', holderOfKey(await proofKey())],
    [undefined, holderOfKey(await proofKey())],
    [undefined, holderOfCertificate('plain')],
    [undefined, holderOfCertificate('other')],
  ] as const) {
    const keys = await makePair('ES256');
    const binding =
      holder.scheme === 'DPoP' ? 'dpop_bound_access_tokens' : 'tls_client_certificate_bound_access_tokens';
    const settings = {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [keys.publicJwk] },
      [binding]: true,
    };
    const body = { name: 'Another', type: 'web', redirect_uris: [CALLBACK], settings };
    const answer =
      clientId === undefined
        ? await latchkey.admin('POST', '/apps/bank/clients', body)
        : await latchkey.admin('PATCH', `/apps/bank/clients/${clientId}`, { settings });
    expect(answer.status, JSON.stringify(answer.body)).to.be.oneOf([200, 201]);
    made.push({ clientId: answer.body.client_id, keys, holder });
  }
  const on = await latchkey.admin('PATCH', '/apps/bank', { settings: { security_profile: 'fapi2' } });
  expect(on.status, JSON.stringify(on.body)).to.equal(200);
  const issuer = issuerOf(latchkey, 'bank', 'own');
  const { body: metadata } = await call(`${issuer}/.well-known/openid-configuration`);
  const userId = await makeUser(latchkey, 'bank', EMAIL);
  return { latchkey, issuer, metadata, userId, dpop: made.slice(0, 2), mtls: made.slice(2) };
}

export type How = {
  /** Claims of the client assertion; undefined leaves one out. */
  assertion?: Record<string, unknown>;
  /** Of the holder of the tokens, instead of the right ones. */
  headers?: Record<string, string>;
};

/** A request of a client that authenticates by `private_key_jwt`, with the issuer as the audience. */
export async function send(
  bank: Bank,
  { clientId, keys, holder }: BankClient,
  at: { url: string; form: Record<string, string | undefined> } & How,
): Promise<Answer> {
  const assertion = await makeAssertion({
    clientId,
    audience: bank.issuer,
    key: keys.privateKey,
    ...(at.assertion ? { claims: at.assertion } : {}),
  });
  const form = {
    client_id: clientId,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
    ...at.form,
  };
  const said = Object.entries(form).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return call(at.url, {
    method: 'POST',
    headers: at.headers ?? (await holder.headers({ htu: at.url })),
    body: new URLSearchParams(said),
  });
}

export type Pushed = { answer: Answer; verifier: string; url: string };

/** Pushes an authorization request; what is undefined is left out. */
export async function push(
  bank: Bank,
  client: BankClient,
  more: Record<string, string | undefined> = {},
  how: How = {},
): Promise<Pushed> {
  const verifier = oidc.randomPKCECodeVerifier();
  const answer = await send(bank, client, {
    url: bank.metadata['pushed_authorization_request_endpoint'],
    form: {
      response_type: 'code',
      redirect_uri: CALLBACK,
      scope: 'openid offline_access',
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...more,
    },
    ...how,
  });
  return { answer, verifier, url: addressOf(bank, client, answer.body?.request_uri ?? '') };
}

export const addressOf = (bank: Bank, { clientId }: BankClient, requestUri: string): string =>
  `${bank.metadata['authorization_endpoint']}?${new URLSearchParams({ client_id: clientId, request_uri: requestUri })}`;

export type Coded = { code: string; verifier: string; response: URLSearchParams; url: string };

/** Through PAR and the pages to a code, signing in where a page asks for it. */
export async function authorize(
  bank: Bank,
  client: BankClient,
  agent: Agent,
  more: Record<string, string | undefined> = {},
): Promise<Coded> {
  const { answer, url, verifier } = await push(bank, client, more);
  expect(answer.status, answer.text).to.equal(201);
  let page = await agent.open(url);
  if (page.url.startsWith(bank.issuer))
    page = await agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
  expect(page.url.startsWith(`${CALLBACK}?`), `${page.url}\n${page.html.slice(0, 1000)}`).to.equal(true);
  const response = new URL(page.url).searchParams;
  expect(response.get('iss')).to.equal(bank.issuer);
  expect(response.has('code'), page.url).to.equal(true);
  return { code: response.get('code')!, verifier, response, url };
}

export const redeem = (
  bank: Bank,
  client: BankClient,
  { code, verifier }: Pick<Coded, 'code' | 'verifier'>,
  how: How = {},
): Promise<Answer> =>
  send(bank, client, {
    url: bank.metadata['token_endpoint'],
    form: { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier },
    ...how,
  });

/** Calls the resource that every module calls. */
export async function callResource(
  bank: Bank,
  holder: Holder,
  token: string,
  how: { scheme?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const htu: string = bank.metadata['userinfo_endpoint'];
  return call(htu, {
    headers: {
      authorization: `${how.scheme ?? holder.scheme} ${token}`,
      ...(how.headers ?? (await holder.headers({ htm: 'GET', htu, token }))),
    },
  });
}

export async function expectBound(holder: Holder, accessToken: string): Promise<void> {
  const { cnf } = decodeJwt(accessToken) as { cnf?: Record<string, string> };
  expect(cnf).to.include(await holder.cnf());
  expect(cnf).to.have.property(holder.scheme === 'DPoP' ? 'jkt' : 'x5t#S256');
}

export function expectError({ status, body, text }: Answer, errors: string[]): void {
  expect(status, text).to.be.oneOf([400, 401]);
  expect(body.error, text).to.be.oneOf(errors);
}

/** An error that comes to the redirect URI, or a page that says so; never a code. */
export function expectNoCode(bank: Bank, page: Page, errors: string[]): void {
  if (page.url.startsWith(bank.issuer)) {
    expect([page.status, page.html.includes('name="password"')], page.url).to.deep.equal([400, false]);
    return;
  }
  const { searchParams } = new URL(page.url);
  expect(searchParams.has('code'), page.url).to.equal(false);
  expect(searchParams.get('error'), page.url).to.be.oneOf(errors);
}
