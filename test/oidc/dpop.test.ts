import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { calculateJwkThumbprint, decodeJwt, type JWK } from 'jose';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { proof, proofKey, type ProofKey, type ProofParts } from '../support/dpop.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  REDIRECT,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, atOnce, basic, call, introspect } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const ORIGIN = 'https://spa.example';

for (const driver of drivers) {
  describe(`#24 tokens bound to a key (DPoP), on ${driver}`, () => {
    let database: { host: string; database: string };
    let latchkey: TestLatchkey;
    /** The same deployment once more. */
    let second: TestLatchkey;
    let shop: TestClient;
    let spa: TestClient;
    let machine: TestClient;
    let wary: TestClient;
    let userId: string;

    before(async () => {
      database = await createDatabase();
      const env = { ENCRYPTION_KEYS: randomBytes(32).toString('base64url') };
      latchkey = await startTestLatchkey({ driver, database, env });
      second = await startTestLatchkey({ driver, database, env });
      shop = await makeApp(latchkey, 'shop');
      spa = await makeApp(latchkey, 'spa', { type: 'spa', allowed_origins: [ORIGIN] });
      wary = await makeApp(latchkey, 'wary', {
        type: 'spa',
        allowed_origins: [ORIGIN],
        settings: { dpop_require_nonce: true },
      });
      const made = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Machine',
        type: 'service',
        scopes: ['orders'],
        settings: { dpop_bound_access_tokens: true },
      });
      machine = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
      userId = await makeUser(latchkey, 'shop', EMAIL);
      for (const appId of ['spa', 'wary']) await makeUser(latchkey, appId, EMAIL);
    });
    after(async () => {
      await latchkey.stop();
      await second.stop();
      await dropDatabase(database);
    });

    const machineToken = (at: TestLatchkey, header: string | undefined): Promise<Answer> =>
      call(`${issuerOf(at, 'shop', 'own')}/token`, {
        method: 'POST',
        headers: { ...basic(machine), ...(header === undefined ? {} : { dpop: header }) },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders' }),
      });
    const tokenUrl = (at: TestLatchkey): string => `${issuerOf(at, 'shop', 'own')}/token`;

    /** Signs in through openid-client and redeems with its own DPoP implementation. */
    const boundTokens = async (client: TestClient, kind: 'own' | 'shared') => {
      const configuration = await discover(latchkey, client, kind);
      const handle = oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair());
      const request = await authorizationRequest(configuration, {
        dpop_jkt: await handle.calculateThumbprint(),
      });
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      const checks = {
        pkceCodeVerifier: request.verifier,
        expectedState: request.state,
        expectedNonce: request.nonce,
      };
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(url), checks, undefined, {
        DPoP: handle,
      });
      return { configuration, handle, tokens };
    };

    for (const kind of ['shared', 'own'] as const) {
      it(`work for a standard client at the ${kind} issuer: userinfo, introspection, refresh`, async () => {
        const { configuration, handle, tokens } = await boundTokens(shop, kind);
        const jkt = await handle.calculateThumbprint();
        expect(tokens.token_type).to.equal('dpop');
        expect(decodeJwt(tokens.access_token)['cnf']).to.deep.equal({ jkt });
        const info = await oidc.fetchUserInfo(configuration, tokens.access_token, userId, { DPoP: handle });
        expect(info.email).to.equal(EMAIL);
        const seen = await introspect(configuration, shop, tokens.access_token);
        expect(seen.body).to.deep.include({ active: true, token_type: 'DPoP', cnf: { jkt } });
        const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, undefined, {
          DPoP: handle,
        });
        expect(decodeJwt(next.access_token)['cnf']).to.deep.equal({ jkt });
      });
    }

    it('are refused as Bearer, with another key, and with a proof for another token', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      const { tokens, handle } = await boundTokens(shop, 'own');
      const other = await boundTokens(shop, 'own');
      const url = configuration.serverMetadata().userinfo_endpoint!;
      const ask = async (authorization: string, header?: string): Promise<number> =>
        (await call(url, { headers: { authorization, ...(header ? { dpop: header } : {}) } })).status;
      expect(await ask(`Bearer ${tokens.access_token}`)).to.equal(401);
      expect(await ask(`DPoP ${tokens.access_token}`)).to.equal(400);
      const stranger = await proofKey();
      const parts = { htm: 'GET', htu: url };
      const withKey = await proof(stranger, { ...parts, token: tokens.access_token });
      expect(await ask(`DPoP ${tokens.access_token}`, withKey)).to.equal(401);
      const forOther = await proof(stranger, { ...parts, token: other.tokens.access_token });
      expect(await ask(`DPoP ${tokens.access_token}`, forOther)).to.equal(401);
      const good = await oidc.fetchUserInfo(configuration, tokens.access_token, userId, { DPoP: handle });
      expect(good.sub).to.equal(userId);
    });

    it('are given only for a proof of this request, of now, of an allowed kind', async () => {
      const key = await proofKey();
      const htu = tokenUrl(latchkey);
      const now = Math.floor(Date.now() / 1000);
      const bad: [string, ProofParts][] = [
        ['another method', { htu, htm: 'GET' }],
        ['another endpoint', { htu: htu.replace('/token', '/userinfo') }],
        ['the other issuer', { htu: `${latchkey.baseUrl}/token` }],
        ['long ago', { htu, iat: now - 600 }],
        ['far ahead', { htu, iat: now + 600 }],
        ['another type', { htu, typ: 'JWT' }],
        ['a made-up nonce', { htu, nonce: 'made-up' }],
      ];
      for (const [what, parts] of bad) {
        const answer = await machineToken(latchkey, await proof(key, parts));
        expect([what, answer.status]).to.deep.equal([what, 400]);
        expect(answer.body.error).to.be.oneOf(['invalid_dpop_proof', 'use_dpop_nonce']);
      }
      const rsa = await proofKey('RS256');
      expect((await machineToken(latchkey, await proof(rsa, { htu, alg: 'RS256' }))).status).to.equal(400);
      expect((await machineToken(latchkey, 'not.a.proof')).status).to.equal(400);
      const none = await machineToken(latchkey, undefined);
      expect([none.status, none.body.error]).to.deep.equal([400, 'invalid_grant']);
      const good = await machineToken(latchkey, await proof(key, { htu }));
      expect(good.status, good.text).to.equal(200);
      const jkt = await calculateJwkThumbprint(key.publicJwk as JWK);
      expect(decodeJwt(good.body.access_token)['cnf']).to.deep.equal({ jkt });
    });

    it('are given once for each proof, whichever instance it is sent to', async () => {
      const key = await proofKey();
      const first = await proof(key, { htu: tokenUrl(latchkey) });
      expect((await machineToken(latchkey, first)).status).to.equal(200);
      expect((await machineToken(latchkey, first)).status).to.equal(400);
      const crowd = await proof(key, { htu: tokenUrl(latchkey) });
      const answers = await atOnce(16, () => machineToken(latchkey, crowd));
      expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
      const won = answers.find(({ status }) => status === 200)!;
      const configuration = await discover(latchkey, shop, 'own');
      expect((await introspect(configuration, shop, won.body.access_token)).body.active).to.equal(true);
      // Another instance has another port here, and so another URL; what it has in common is the store.
      const elsewhere = await proof(key, { htu: tokenUrl(second), jti: decodeJwt(crowd).jti! });
      expect((await machineToken(second, elsewhere)).status).to.equal(400);
      const fresh = await proof(key, { htu: tokenUrl(second) });
      expect((await machineToken(second, fresh)).status).to.equal(200);
    });

    it('need a nonce where the app says so, which is good at both issuers and on every instance', async () => {
      const configuration = await discover(latchkey, wary, 'shared');
      const { tokens, handle } = await boundTokens(wary, 'shared');
      expect(tokens.token_type).to.equal('dpop');
      const info = await oidc.fetchUserInfo(configuration, tokens.access_token, oidc.skipSubjectCheck, {
        DPoP: handle,
      });
      expect(info.email).to.equal(EMAIL);
      const key = await proofKey();
      const ask = async (base: string, nonce?: string): Promise<Answer> =>
        call(`${base}/token`, {
          method: 'POST',
          headers: {
            dpop: await proof(key, { htu: `${base}/token`, ...(nonce ? { nonce } : {}) }),
          },
          body: new URLSearchParams({
            grant_type: 'authorization_code',
            client_id: 'wary',
            code: 'none',
            redirect_uri: REDIRECT,
          }),
        });
      const asked = await ask(issuerOf(latchkey, 'wary', 'own'));
      expect([asked.status, asked.body.error]).to.deep.equal([400, 'use_dpop_nonce']);
      const nonce = asked.headers.get('dpop-nonce')!;
      for (const base of [
        issuerOf(latchkey, 'wary', 'own'),
        latchkey.baseUrl,
        issuerOf(second, 'wary', 'own'),
      ])
        expect((await ask(base, nonce)).body.error, base).to.equal('invalid_grant');
    });

    it('of a public client bind its refresh token too', async () => {
      const { configuration, handle, tokens } = await boundTokens(spa, 'own');
      const stranger = oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair());
      const failure = await oidc
        .refreshTokenGrant(configuration, tokens.refresh_token!, undefined, { DPoP: stranger })
        .catch((error: oidc.ResponseBodyError) => error.error);
      expect(failure).to.equal('invalid_grant');
      const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, undefined, {
        DPoP: handle,
      });
      expect(next.refresh_token).to.be.a('string');
    });

    describe('a retry of a refresh within the grace', () => {
      const refreshWith = async (refreshToken: string, key: ProofKey | undefined): Promise<Answer> => {
        const url = tokenUrl(latchkey);
        return call(url, {
          method: 'POST',
          headers: { ...basic(shop), ...(key ? { dpop: await proof(key, { htu: url }) } : {}) },
          body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
        });
      };

      it('with the same key gets the same successor', async () => {
        const { tokens } = await boundTokens(shop, 'own');
        const key = await proofKey();
        const first = await refreshWith(tokens.refresh_token!, key);
        const again = await refreshWith(tokens.refresh_token!, key);
        expect(again.status, again.text).to.equal(200);
        expect(again.body.refresh_token).to.equal(first.body.refresh_token);
        expect((await refreshWith(first.body.refresh_token, key)).status).to.equal(200);
      });

      it('with another key, or with none, is reuse and ends the family', async () => {
        for (const other of [await proofKey(), undefined]) {
          const { tokens } = await boundTokens(shop, 'own');
          const first = await refreshWith(tokens.refresh_token!, await proofKey());
          expect(first.status, first.text).to.equal(200);
          const stolen = await refreshWith(tokens.refresh_token!, other);
          expect([stolen.status, stolen.body.error]).to.deep.equal([400, 'invalid_grant']);
          expect((await refreshWith(first.body.refresh_token, undefined)).status).to.equal(400);
        }
      });
    });

    it('leave a script of an allowed origin the nonce to read, of success and of refusal', async () => {
      const { tokens } = await boundTokens(wary, 'own');
      const url = `${issuerOf(latchkey, 'wary', 'own')}/userinfo`;
      const key = await proofKey();
      const ask = async (origin: string): Promise<Answer> =>
        call(url, {
          headers: {
            origin,
            authorization: `DPoP ${tokens.access_token}`,
            dpop: await proof(key, { htm: 'GET', htu: url, token: tokens.access_token }),
          },
        });
      const refused = await ask(ORIGIN);
      expect([refused.status, refused.body.error]).to.deep.equal([401, 'use_dpop_nonce']);
      expect(refused.headers.get('access-control-allow-origin')).to.equal(ORIGIN);
      expect(refused.headers.get('access-control-expose-headers')).to.match(/DPoP-Nonce/i);
      const stranger = await ask('https://evil.example');
      expect(stranger.headers.get('access-control-allow-origin')).to.equal(null);
      const preflight = await call(url, {
        method: 'OPTIONS',
        headers: { origin: ORIGIN, 'access-control-request-headers': 'authorization,dpop' },
      });
      expect(preflight.headers.get('access-control-allow-headers')).to.include('dpop');
    });

    it('can be switched off for an app', async () => {
      await makeApp(latchkey, 'plain', { settings: { features: { dpop: false } } });
      const own = await discover(latchkey, { appId: 'plain', clientId: 'plain', secret: 'x' }, 'own');
      expect(own.serverMetadata()).to.not.have.property('dpop_signing_alg_values_supported');
    });
  });
}
