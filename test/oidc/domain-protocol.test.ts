import { expect } from 'chai';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { formsOf } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { ASSERTION_TYPE, makeAssertion, makePair, type SigningPair } from '../support/assertions.ts';
import { agentAt, fetchAt, giveDomain, NameServers } from '../support/domain.ts';
import { proof, proofKey } from '../support/dpop.ts';
import { type LogoutReceiver, startLogoutReceiver } from '../support/logout-receiver.ts';
import {
  authorizationRequest,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  signInByPassword,
} from '../support/sign-in.ts';

const HOME = 'https://id.shop.example';
const EMAIL = 'ada@example.test';

type Json = Record<string, any>;

describe('what the standards bind to an issuer, at a custom domain', () => {
  const names = new NameServers();
  let latchkey: TestLatchkey;
  let receiver: LogoutReceiver;
  let keys: SigningPair;
  let clientId: string;
  /** All issuers of the app: it is being moved, so each of them serves. */
  let elsewhere: string[];

  before(async () => {
    receiver = await startLogoutReceiver();
    const env = { OUTBOUND_ALLOWED_HOSTS: receiver.host };
    latchkey = await startTestLatchkey({ driver: 'redis', env, resolveTxt: names.resolveTxt });
    keys = await makePair('ES256');
    await makeApp(latchkey, 'shop');
    await makeUser(latchkey, 'shop', EMAIL);
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Till',
      type: 'web',
      redirect_uris: ['http://localhost:1/callback'],
      settings: {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [keys.publicJwk] },
        dpop_bound_access_tokens: true,
        require_pushed_authorization_requests: true,
        backchannel_logout_uri: receiver.uri('/till'),
      },
    });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    clientId = made.body.client_id;
    const shop = { appId: 'shop', domain: new URL(HOME).host, oldIssuers: 'sign_in' };
    await giveDomain(latchkey, names, shop);
    elsewhere = [issuerOf(latchkey, 'shop', 'own'), issuerOf(latchkey, 'shop', 'shared')];
  });
  after(async () => {
    await latchkey.stop();
    await receiver.stop();
  });

  const json = async (url: string, init?: RequestInit): Promise<{ status: number; body: Json }> => {
    const response = await fetchAt(latchkey)(url, init);
    return { status: response.status, body: (await response.json()) as Json };
  };

  /** What a standard client makes of the domain: PAR with an assertion, a bound code, bound tokens. */
  async function signIn() {
    const customFetch = fetchAt(latchkey) as oidc.CustomFetch;
    const key = oidc.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' });
    const configuration = await oidc.discovery(new URL(HOME), clientId, {}, key, {
      [oidc.customFetch]: customFetch,
    });
    configuration[oidc.customFetch] = customFetch;
    const DPoP = oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair());
    const request = await authorizationRequest(configuration, {}, (at, parameters) =>
      oidc.buildAuthorizationUrlWithPAR(at, parameters, { DPoP }),
    );
    const agent = agentAt(latchkey, HOME);
    const { url } = await signInByPassword(agent, request, EMAIL);
    const checks = {
      pkceCodeVerifier: request.verifier,
      expectedState: request.state,
      expectedNonce: request.nonce,
    };
    const tokens = await oidc.authorizationCodeGrant(configuration, new URL(url), checks, undefined, {
      DPoP,
    });
    return { agent, configuration, DPoP, request, tokens };
  }

  it('a standard client pushes, proves and refreshes there, and nothing of it names another address', async () => {
    const { configuration, DPoP, request, tokens } = await signIn();
    expect(request.url.origin).to.equal(HOME);
    expect(tokens.claims()).to.include({ iss: HOME, aud: clientId });
    const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, undefined, { DPoP });
    expect(next.token_type).to.equal('dpop');
    const info = await oidc.fetchUserInfo(configuration, next.access_token, tokens.claims()!.sub, { DPoP });
    expect(info.email).to.equal(EMAIL);
  });

  it('#1 takes client assertions made for the domain, and for no other issuer of the same app', async () => {
    const asking = async (at: string, audience: string): Promise<unknown> => {
      const { status, body } = await json(`${at}/introspect`, {
        method: 'POST',
        body: new URLSearchParams({
          token: 'x',
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: await makeAssertion({ clientId, audience, key: keys.privateKey }),
        }),
      });
      return status === 200 ? body : body['error'];
    };
    expect(await asking(HOME, HOME)).to.deep.equal({ active: false });
    for (const audience of [...elsewhere, `${HOME}/token`, HOME.replace('https:', 'http:'), `${HOME}/`])
      expect(await asking(HOME, audience), audience).to.equal('invalid_client');
  });

  it('takes DPoP proofs for its own addresses alone', async () => {
    const key = await proofKey();
    const asking = async (htu: string): Promise<unknown> => {
      const { body } = await json(`${HOME}/token`, {
        method: 'POST',
        headers: { dpop: await proof(key, { htu }) },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: 'x',
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: await makeAssertion({ clientId, audience: HOME, key: keys.privateKey }),
        }),
      });
      return body['error'];
    };
    expect(await asking(`${HOME}/token`), 'a good proof, and no such token').to.equal('invalid_grant');
    for (const htu of [...elsewhere.map((issuer) => `${issuer}/token`), 'http://id.shop.example/token'])
      expect(await asking(htu), htu).to.equal('invalid_dpop_proof');
  });

  it('takes up what was pushed there, and no other issuer does', async () => {
    const form = async () => ({
      client_id: clientId,
      response_type: 'code',
      redirect_uri: 'http://localhost:1/callback',
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await makeAssertion({ clientId, audience: HOME, key: keys.privateKey }),
    });
    const pushed = await json(`${HOME}/par`, { method: 'POST', body: new URLSearchParams(await form()) });
    expect(pushed.status).to.equal(201);
    const query = new URLSearchParams({ client_id: clientId, request_uri: pushed.body['request_uri'] });
    for (const issuer of elsewhere) {
      const page = await latchkey.agent().open(`${issuer}/authorize?${query}`);
      expect(new URL(page.url).searchParams.get('error'), issuer).to.equal('invalid_request_uri');
    }
    const page = await agentAt(latchkey, HOME).open(`${HOME}/authorize?${query}`);
    expect(page.url).to.match(/^https:\/\/id\.shop\.example\/auth\/shop\/interaction\//);
  });

  it('tells clients of a sign-out as the domain, with keys that are published there', async () => {
    const { agent, tokens } = await signIn();
    const end = `${HOME}/logout?${new URLSearchParams({ id_token_hint: tokens.id_token! })}`;
    await agent.submit(await agent.open(end), { logout: 'yes' }, { ending: '/logout/confirm' });
    const [told] = await receiver.wait(1);
    const jwks = (await json(`${HOME}/.well-known/jwks.json`)).body as unknown as JSONWebKeySet;
    const { payload } = await jwtVerify(told!.token, createLocalJWKSet(jwks), {
      issuer: HOME,
      audience: clientId,
      typ: 'logout+jwt',
    });
    expect(payload['sid']).to.equal(tokens.claims()!['sid']);
    expect(receiver.received).to.have.length(1);
  });

  it('describes its userinfo endpoint as a resource of the domain (RFC 9728), also when it refuses', async () => {
    const refused = await fetchAt(latchkey)(`${HOME}/userinfo`, { headers: { authorization: 'Bearer x' } });
    const [, where] = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate')!) ?? [];
    expect(where).to.equal(`${HOME}/.well-known/oauth-protected-resource/userinfo`);
    expect((await json(where!)).body).to.deep.include({
      resource: `${HOME}/userinfo`,
      authorization_servers: [HOME],
    });
    for (const issuer of elsewhere) {
      const { origin, pathname } = new URL(`${issuer}/userinfo`);
      const { body } = await json(`${origin}/.well-known/oauth-protected-resource${pathname}`);
      expect(body['authorization_servers']).to.deep.equal([issuer]);
    }
  });

  describe('the account pages', () => {
    const page = `${HOME}/auth/shop/account/sessions`;

    it('sign in there, stay there, and sign out there', async () => {
      const agent = agentAt(latchkey, HOME);
      const asked = await agent.open(page);
      expect(asked.url).to.match(/^https:\/\/id\.shop\.example\/auth\/shop\/interaction\//);
      const shown = await agent.submit(asked, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect([shown.status, shown.url]).to.deep.equal([200, page]);
      expect(agent.cookieNames()).to.include('__Host-lk_ses.shop');
      const links = [...shown.html.matchAll(/(?:href|action)="([^"]+)"/g)].map(([, link]) => link!);
      expect(links.filter((link) => link.includes('/account/'))).to.have.length.greaterThan(2);
      expect(links.filter((link) => link.includes(new URL(latchkey.baseUrl).host))).to.deep.equal([]);
      // Another browser is seen, and ended, from here.
      const other = agentAt(latchkey, HOME);
      await other.submit(
        await other.open(page),
        { email: EMAIL, password: PASSWORD },
        { ending: '/password' },
      );
      const end = formsOf(await agent.open(page)).find(({ action }) => action.endsWith('/end-others'))!;
      const done = await agent.submit(await agent.open(page), {}, { ending: '/end-others' });
      expect([end.action.startsWith(`${HOME}/`), done.url]).to.deep.equal([true, `${page}?done=others`]);
      expect((await other.open(page)).url).to.include('/interaction/');
      const out = links.find((link) => link.endsWith('/logout'))!;
      expect(out).to.equal(`${HOME}/logout`);
      await agent.submit(await agent.open(out), { logout: 'yes' }, { ending: '/logout/confirm' });
      expect((await agent.open(page)).url).to.include('/interaction/');
    });

    it('take no session of another address of the app', async () => {
      const atBase = latchkey.agent();
      const own = `${issuerOf(latchkey, 'shop', 'own')}/account/sessions`;
      const shown = await atBase.submit(
        await atBase.open(own),
        { email: EMAIL, password: PASSWORD },
        { ending: '/password' },
      );
      expect(shown.url).to.equal(own);
      expect((await agentAt(latchkey, HOME).open(page)).url).to.include('/interaction/');
    });

    it('lead from where an app is leaving to where it is', async () => {
      await makeApp(latchkey, 'mover');
      await makeUser(latchkey, 'mover', EMAIL);
      const before = latchkey.agent();
      const old = `${issuerOf(latchkey, 'mover', 'own')}/account/apps`;
      await before.submit(
        await before.open(old),
        { email: EMAIL, password: PASSWORD },
        { ending: '/password' },
      );
      await giveDomain(latchkey, names, { appId: 'mover', domain: 'id.mover.example' });
      expect((await before.open(old)).url, 'whoever is still signed in').to.equal(old);
      const led = await latchkey.agent().open(old);
      expect(led.url).to.equal('https://id.mover.example/auth/mover/account/apps');
      const there = agentAt(latchkey, 'https://id.mover.example');
      const asked = await there.open(led.url);
      const shown = await there.submit(asked, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect([shown.status, shown.url]).to.deep.equal([200, led.url]);
    });
  });
});
