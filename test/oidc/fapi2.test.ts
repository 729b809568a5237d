import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { ASSERTION_TYPE, makeAssertion, makePair, type SigningPair } from '../support/assertions.ts';
import { proof, proofKey } from '../support/dpop.ts';
import {
  authorizationRequest,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  signInByPassword,
} from '../support/sign-in.ts';
import { call } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const CALLBACK = 'https://bank.example/callback';

for (const driver of drivers) {
  describe(`the FAPI 2.0 Security Profile, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let keys: SigningPair;
    let issuer: string;

    const change = (settings: object, clientId = 'bank') =>
      latchkey.admin('PATCH', `/apps/bank/clients/${clientId}`, { settings });
    const fitting = () => ({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [keys.publicJwk] },
      dpop_bound_access_tokens: true,
    });

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      keys = await makePair('ES256');
      await makeApp(latchkey, 'bank', { redirect_uris: [CALLBACK], post_logout_redirect_uris: [] });
      await makeUser(latchkey, 'bank', EMAIL);
      issuer = issuerOf(latchkey, 'bank', 'own');
    });
    after(() => latchkey.stop());

    it('is taken on only by an app that fits, which is told what does not, and can ask before', async () => {
      const path = '/apps/bank/security-profile';
      const asked = (await latchkey.admin('GET', path)).body;
      expect(asked).to.include({ security_profile: 'baseline', fits_fapi2: false });
      expect(asked.faults.map((fault: any) => [fault.client_id, fault.setting])).to.deep.equal([
        [null, 'signing_algorithm'],
        ['bank', 'token_endpoint_auth_method'],
        ['bank', 'dpop_bound_access_tokens'],
      ]);
      const switchOn = () =>
        latchkey.admin('PATCH', '/apps/bank', { settings: { security_profile: 'fapi2' } });
      const refused = await switchOn();
      expect([refused.status, refused.body.code]).to.deep.equal([409, 'apps.profile_unmet']);
      expect(refused.body.detail).to.include('client bank: dpop_bound_access_tokens');
      await latchkey.admin('PATCH', '/apps/bank', { settings: { signing_algorithm: 'ES256' } });
      expect((await change(fitting())).status).to.equal(200);
      // The RS256 key signs on until verifiers can know the new one.
      const waiting = await switchOn();
      expect(waiting.body.code).to.equal('apps.profile_unmet');
      expect(waiting.body.detail).to.include('signing_algorithm is not in use yet');
      await latchkey.sql('update signing_keys set active_at = now() where active_at > now()');
      expect((await latchkey.admin('GET', path)).body).to.include({ fits_fapi2: true });
      expect((await switchOn()).status).to.equal(200);
    });

    it('is not taken on by a new app whose first client has a secret', async () => {
      const settings = { signing_algorithm: 'ES256', security_profile: 'fapi2' };
      const made = { app_id: 'young', name: 'Young', type: 'web', redirect_uris: [CALLBACK], settings };
      const refused = await latchkey.admin('POST', '/apps', made);
      expect([refused.status, refused.body.code]).to.deep.equal([409, 'apps.profile_unmet']);
      expect((await latchkey.admin('GET', '/apps/young')).status).to.equal(404);
    });

    it('is kept by every later change', async () => {
      for (const settings of [
        { dpop_bound_access_tokens: false },
        { pkce_required: false },
        { token_endpoint_auth_method: 'client_secret_basic' },
        { token_endpoint_auth_signing_alg: 'RS256' },
      ])
        expect((await change(settings)).body.code, JSON.stringify(settings)).to.equal('apps.profile_unmet');
      const spa = { name: 'Spa', type: 'spa', redirect_uris: [CALLBACK] };
      expect((await latchkey.admin('POST', '/apps/bank/clients', spa)).status).to.equal(409);
      const plain = { redirect_uris: ['http://localhost:1/callback'] };
      expect((await latchkey.admin('PATCH', '/apps/bank', plain)).status).to.equal(409);
      const slow = { settings: { code_ttl: 61 } };
      expect((await latchkey.admin('PATCH', '/apps/bank', slow)).status).to.equal(409);
    });

    it('is kept by clients that register themselves, which are told in the words of RFC 7591 what does not fit', async () => {
      const settings = { dynamic_registration: 'open' };
      expect((await latchkey.admin('PATCH', '/apps/bank', { settings })).status).to.equal(200);
      const register = (metadata: object) =>
        call(`${issuer}/clients/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ redirect_uris: [CALLBACK], ...metadata }),
        });
      const keyed = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [keys.publicJwk] } };
      for (const [metadata, told] of [
        [{ token_endpoint_auth_method: 'none' }, 'token_endpoint_auth_method must be private_key_jwt'],
        [{}, 'token_endpoint_auth_method must be private_key_jwt'],
        [keyed, 'dpop_bound_access_tokens'],
      ] as const) {
        const refused = await register(metadata);
        expect([refused.status, refused.body.error], refused.text).to.deep.equal([
          400,
          'invalid_client_metadata',
        ]);
        expect(refused.body.error_description)
          .to.include(told)
          .and.match(/^[\x20-\x7e]+$/);
        expect(refused.body).to.have.all.keys('error', 'error_description');
      }
      const made = await register({ ...keyed, dpop_bound_access_tokens: true });
      expect([made.status, made.body.dpop_bound_access_tokens], made.text).to.deep.equal([201, true]);
    });

    const configure = async (): Promise<oidc.Configuration> =>
      oidc.discovery(new URL(issuer), 'bank', {}, oidc.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' }), {
        execute: [oidc.allowInsecureRequests],
      });
    const signIn = async () => {
      const configuration = await configure();
      const handle = oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair());
      const request = await authorizationRequest(
        configuration,
        { redirect_uri: CALLBACK },
        (at, parameters) => oidc.buildAuthorizationUrlWithPAR(at, parameters, { DPoP: handle }),
      );
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      const checks = {
        pkceCodeVerifier: request.verifier,
        expectedState: request.state,
        expectedNonce: request.nonce,
      };
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(url), checks, undefined, {
        DPoP: handle,
      });
      return { configuration, handle, tokens, url };
    };

    it('#10 #24 happy flow: a standard client signs in; its refresh token is bound and stays the same', async () => {
      const { configuration, handle, tokens, url } = await signIn();
      expect(new URL(url).searchParams.get('iss')).to.equal(issuer);
      expect(decodeProtectedHeader(tokens.id_token!).alg).to.equal('ES256');
      expect(decodeJwt(tokens.access_token)['cnf']).to.have.property('jkt');
      for (let times = 0; times < 3; times += 1) {
        const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, undefined, {
          DPoP: handle,
        });
        expect(next.refresh_token ?? tokens.refresh_token).to.equal(tokens.refresh_token);
        const info = await oidc.fetchUserInfo(configuration, next.access_token, tokens.claims()!.sub, {
          DPoP: handle,
        });
        expect(info.email).to.equal(EMAIL);
      }
      const bare = await oidc
        .refreshTokenGrant(configuration, tokens.refresh_token!)
        .catch((error: oidc.ResponseBodyError) => error.error);
      expect(bare).to.equal('invalid_grant');
    });

    it('#4 refuses unpushed requests, requests without PKCE or with plain, and other response types', async () => {
      const configuration = await configure();
      const plain = await authorizationRequest(configuration, { redirect_uri: CALLBACK });
      const answer = await latchkey.agent().open(plain.url.href);
      expect(new URL(answer.url).searchParams.get('error')).to.equal('invalid_request');
      for (const parameters of [
        { code_challenge_method: 'plain' },
        { response_type: 'code id_token' },
        { redirect_uri: 'https://bank.example/other' },
      ]) {
        const refused = await authorizationRequest(
          configuration,
          { redirect_uri: CALLBACK, ...parameters },
          oidc.buildAuthorizationUrlWithPAR,
        ).catch((error: oidc.ResponseBodyError) => error.error);
        expect(refused).to.be.oneOf(['invalid_request', 'unsupported_response_type']);
      }
    });

    it('is there at the own issuer alone, whose metadata says what it takes', async () => {
      const metadata = (await configure()).serverMetadata();
      expect(metadata['require_pushed_authorization_requests']).to.equal(true);
      for (const name of [
        'token_endpoint_auth_signing_alg_values_supported',
        'dpop_signing_alg_values_supported',
      ])
        expect(metadata[name], name).to.not.include('RS256');
      const shared = await call(`${latchkey.baseUrl}/authorize?client_id=bank&response_type=code`);
      expect(shared.status).to.equal(400);
    });

    it('leaves the account pages open: their request, and no other, need not be pushed', async () => {
      const agent = latchkey.agent();
      const asked = await agent.open(`${issuer}/account/apps`);
      const page = await agent.submit(asked, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect([page.status, page.url]).to.deep.equal([200, `${issuer}/account/apps`]);
    });

    it('#33 forgives clocks eight seconds ahead, and refuses a proof of more than a minute ahead or by RS256', async () => {
      const now = Math.floor(Date.now() / 1000);
      const htu = `${issuer}/par`;
      const ask = async (dpop: string) =>
        call(htu, {
          method: 'POST',
          headers: { dpop },
          body: new URLSearchParams({
            client_id: 'bank',
            response_type: 'code',
            redirect_uri: CALLBACK,
            scope: 'openid',
            code_challenge: await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier()),
            code_challenge_method: 'S256',
            client_assertion_type: ASSERTION_TYPE,
            client_assertion: await makeAssertion({
              clientId: 'bank',
              audience: issuer,
              key: keys.privateKey,
              claims: { iat: now + 8, nbf: now + 8 },
            }),
          }),
        });
      const key = await proofKey();
      const good = await ask(await proof(key, { htu, iat: now + 8 }));
      expect(good.status, good.text).to.equal(201);
      expect(good.body.expires_in).to.be.lessThan(600);
      const rsa = await proofKey('RS256');
      for (const bad of [proof(key, { htu, iat: now + 90 }), proof(rsa, { htu, alg: 'RS256' })]) {
        const refused = await ask(await bad);
        expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_dpop_proof']);
      }
    });
  });
}
