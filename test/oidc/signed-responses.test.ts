import { expect } from 'chai';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  redeem,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { basic, call, userinfo } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const [driver] = drivers;
const FEATURES = {
  jwt_responses: true,
  jwt_introspection: true,
  claims_parameter: true,
  authorize_by_post: true,
};

describe('what a request may ask of its answers', () => {
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let plain: TestClient;
  let partner: TestClient;

  before(async () => {
    latchkey = await startTestLatchkey({ driver: driver! });
    shop = await makeApp(latchkey, 'shop', { settings: { features: FEATURES } });
    plain = await makeApp(latchkey, 'plain', { settings: { features: { form_post: false } } });
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Partner',
      type: 'web',
      redirect_uris: [REDIRECT],
      settings: { first_party: false },
    });
    partner = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    for (const appId of ['shop', 'plain'])
      await makeUser(latchkey, appId, EMAIL, { profile: { name: 'Ada Lovelace', birthdate: '1815-12-10' } });
  });
  after(() => latchkey.stop());

  const keysAt = (kind: 'own' | 'shared') =>
    createRemoteJWKSet(new URL(`${issuerOf(latchkey, 'shop', kind)}/.well-known/jwks.json`));

  describe('signed answers of the authorization endpoint (JARM)', () => {
    for (const kind of ['own', 'shared'] as const) {
      it(`#10 satisfy a standard client at the ${kind} issuer, and name it`, async () => {
        const configuration = await discover(latchkey, shop, kind);
        oidc.useJwtResponseMode(configuration);
        const request = await authorizationRequest(configuration);
        expect(request.url.searchParams.get('response_mode')).to.equal('jwt');
        const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
        expect([...new URL(url).searchParams.keys()]).to.deep.equal(['response']);
        const { payload } = await jwtVerify(new URL(url).searchParams.get('response')!, keysAt(kind));
        expect(payload).to.include({
          iss: issuerOf(latchkey, 'shop', kind),
          aud: 'shop',
          state: request.state,
        });
        expect((await redeem(configuration, request, url)).id_token).to.be.a('string');
      });
    }

    it('carry refusals as well, in the query, the fragment and a form', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      for (const mode of ['query.jwt', 'fragment.jwt', 'form_post.jwt']) {
        const request = await authorizationRequest(configuration, { response_mode: mode, prompt: 'none' });
        const page = await latchkey.agent().open(request.url.href);
        const response =
          mode === 'form_post.jwt'
            ? /name="response" value="([^"]+)"/.exec(page.html)?.[1]
            : new URL(page.url.replace('#', '?')).searchParams.get('response');
        const { payload } = await jwtVerify(response!, keysAt('own'));
        expect(payload, mode).to.include({ error: 'login_required', state: request.state, aud: 'shop' });
      }
    });

    it('are unknown to an app that has not switched them on', async () => {
      const configuration = await discover(latchkey, plain, 'own');
      const request = await authorizationRequest(configuration, { response_mode: 'jwt' });
      const { url } = await latchkey.agent().open(request.url.href);
      expect(new URL(url).searchParams.get('error')).to.equal('unsupported_response_mode');
      expect(configuration.serverMetadata().response_modes_supported).to.deep.equal(['fragment', 'query']);
    });
  });

  it('#13 form_post ends in a form for the redirect URI, and nowhere where the app does without', async () => {
    const configuration = await discover(latchkey, shop, 'own');
    const request = await authorizationRequest(configuration, { response_mode: 'form_post' });
    const page = await signInByPassword(latchkey.agent(), request, EMAIL);
    expect(page.html).to.include(`action="${REDIRECT}"`).and.include('name="code"').and.include('name="iss"');
    expect(page.headers.get('content-security-policy')).to.include("form-action 'self' http://localhost:1");
    const without = await discover(latchkey, plain, 'own');
    const refused = await authorizationRequest(without, { response_mode: 'form_post' });
    const answer = await latchkey.agent().open(refused.url.href);
    expect(answer.html).to.not.include('name="code"');
    expect(answer.html).to.include('invalid_request');
  });

  describe('signed introspection (RFC 9701)', () => {
    const ask = (token: string, accept: string, client: TestClient = shop) =>
      call(`${issuerOf(latchkey, client.appId, 'own')}/introspect`, {
        method: 'POST',
        headers: { ...basic(client), accept },
        body: new URLSearchParams({ token }),
      });

    it('is given to whoever asks for it, and JSON to everyone else', async () => {
      const { tokens } = await signedIn(latchkey, shop, { email: EMAIL, kind: 'own' });
      const signed = await ask(tokens.access_token, 'application/token-introspection+jwt');
      expect(signed.headers.get('content-type')).to.match(/^application\/token-introspection\+jwt/);
      expect(decodeProtectedHeader(signed.text).typ).to.equal('token-introspection+jwt');
      const { payload } = await jwtVerify(signed.text, keysAt('own'), { audience: 'shop' });
      expect(payload['token_introspection']).to.include({ active: true, client_id: 'shop' });
      expect(payload).to.not.have.any.keys('sub', 'exp');
      expect((await ask(tokens.access_token, 'application/json')).body.active).to.equal(true);
      const dead = await ask('unknown', 'application/token-introspection+jwt');
      const about = (await jwtVerify(dead.text, keysAt('own'))).payload['token_introspection'];
      expect(about).to.deep.equal({ active: false });
      // #25: what was signed about a token is no token.
      expect((await userinfo(await discover(latchkey, shop, 'own'), signed.text)).status).to.equal(401);
    });

    it('is not given by an app that has not switched it on', async () => {
      const { tokens } = await signedIn(latchkey, plain, { email: EMAIL, kind: 'own' });
      const answer = await ask(tokens.access_token, 'application/token-introspection+jwt, */*', plain);
      expect(answer.body.active).to.equal(true);
    });
  });

  describe('the claims parameter', () => {
    const claims = JSON.stringify({
      userinfo: { email: { essential: true }, name: null, password_hash: null },
      id_token: { birthdate: null, auth_time: { essential: true } },
    });
    const parameters = { scope: 'openid', claims };

    for (const kind of ['own', 'shared'] as const) {
      it(`gives each claim where it was asked for, and no other, at the ${kind} issuer`, async () => {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL, kind, parameters });
        const inToken = tokens.claims()!;
        expect(inToken['birthdate']).to.equal('1815-12-10');
        expect(inToken).to.have.property('auth_time').and.not.equal(undefined);
        expect(inToken).to.not.have.any.keys('email', 'name', 'password_hash');
        const { body } = await userinfo(configuration, tokens.access_token);
        expect(body).to.include({ email: EMAIL, name: 'Ada Lovelace' });
        expect(body).to.not.have.any.keys('birthdate', 'phone_number', 'locale', 'password_hash');
        const plainly = await signedIn(latchkey, shop, {
          email: EMAIL,
          kind,
          parameters: { scope: 'openid' },
        });
        const less = await userinfo(plainly.configuration, plainly.tokens.access_token);
        expect(less.body).to.not.have.any.keys('email', 'name', 'birthdate');
      });
    }

    it('tells the person in words what a third party asks for, and gives nothing without consent', async () => {
      const configuration = await discover(latchkey, partner, 'own');
      const request = await authorizationRequest(configuration, parameters);
      const agent = latchkey.agent();
      const page = await agent.submit(
        await agent.open(request.url.href),
        { email: EMAIL, password: PASSWORD },
        {
          ending: '/password',
        },
      );
      expect(page.html).to.match(/email|e-mail/i);
      const denied = await agent.submit(page, { decision: 'deny' }, { ending: '/consent' });
      expect(new URL(denied.url).searchParams.get('error')).to.equal('access_denied');
      const again = await authorizationRequest(configuration, parameters);
      const asked = await agent.open(again.url.href);
      const allowed = await agent.submit(asked, { decision: 'allow' }, { ending: '/consent' });
      const tokens = await redeem(configuration, again, allowed.url);
      expect(tokens.claims()!['birthdate']).to.equal('1815-12-10');
      expect((await userinfo(configuration, tokens.access_token)).body.email).to.equal(EMAIL);
    });

    it('is refused when it is no JSON of the right shape, and ignored by an app that has it off', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      for (const wrong of ['{', '[]', '{"userinfo":[]}', '{"id_token":{"email":1}}']) {
        const request = await authorizationRequest(configuration, { scope: 'openid', claims: wrong });
        const { url } = await latchkey.agent().open(request.url.href);
        expect(new URL(url).searchParams.get('error'), wrong).to.equal('invalid_request');
      }
      const off = await signedIn(latchkey, plain, { email: EMAIL, kind: 'own', parameters });
      expect(off.tokens.claims()).to.not.have.property('birthdate');
      expect((await userinfo(off.configuration, off.tokens.access_token)).body).to.not.have.property('email');
    });
  });

  describe('an authorization request by POST', () => {
    for (const kind of ['own', 'shared'] as const) {
      it(`#14 is repeated by GET (303) at the ${kind} issuer, and then is one like any other`, async () => {
        const configuration = await discover(latchkey, shop, kind);
        const request = await authorizationRequest(configuration);
        const agent = latchkey.agent();
        const endpoint = `${request.url.origin}${request.url.pathname}`;
        const answer = await agent.send(endpoint, { method: 'POST', body: request.url.searchParams });
        expect(answer.status).to.equal(303);
        const location = answer.headers.get('location')!;
        expect(location.startsWith(`${endpoint}?`)).to.equal(true);
        const { url } = await signInByPassword(agent, { ...request, url: new URL(location) }, EMAIL);
        expect((await redeem(configuration, request, url)).id_token).to.be.a('string');
      });
    }

    it('#11 takes nothing twice, once here and once there', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      const { url } = await authorizationRequest(configuration);
      const answer = await latchkey.agent().open(`${url.origin}${url.pathname}?client_id=shop`, {
        method: 'POST',
        body: url.searchParams,
      });
      expect(answer.status).to.equal(400);
    });

    it('is not there where the app has not switched it on', async () => {
      const configuration = await discover(latchkey, plain, 'own');
      const { url } = await authorizationRequest(configuration);
      const answer = await fetch(`${url.origin}${url.pathname}`, { method: 'POST', body: url.searchParams });
      expect(answer.status).to.equal(404);
    });
  });
});
