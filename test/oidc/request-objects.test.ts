import { expect } from 'chai';
import { type CryptoKey, exportSPKI, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makePair, type SigningPair } from '../support/assertions.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  REDIRECT,
  redeem,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { call } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const EVIL = 'https://evil.example/callback';
const MINUTE = 60;
const now = (): number => Math.floor(Date.now() / 1000);

for (const driver of drivers) {
  describe(`request objects, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let strict: TestClient;
    let pair: SigningPair;
    let stranger: SigningPair;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      [pair, stranger] = await Promise.all([makePair('ES256'), makePair('ES256')]);
      shop = await makeApp(latchkey, 'shop', { settings: { features: { request_objects: true } } });
      strict = await makeApp(latchkey, 'strict');
      await makeApp(latchkey, 'plain');
      const jwks = { keys: [pair.publicJwk] };
      for (const [appId, settings] of [
        ['shop', { jwks }],
        ['strict', { jwks, require_signed_request_object: true }],
      ] as const) {
        const changed = await latchkey.admin('PATCH', `/apps/${appId}/clients/${appId}`, { settings });
        expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
        await makeUser(latchkey, appId, EMAIL);
      }
    });
    after(() => latchkey.stop());

    const claims = (more: Record<string, unknown> = {}): Record<string, unknown> =>
      JSON.parse(
        JSON.stringify({
          iss: 'shop',
          aud: issuerOf(latchkey, 'shop', 'own'),
          exp: now() + MINUTE,
          client_id: 'shop',
          response_type: 'code',
          redirect_uri: REDIRECT,
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
          ...more,
        }),
      );
    const signed = (more: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
      new SignJWT(claims(more))
        .setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header })
        .sign(pair.privateKey);
    const ask = (parameters: Record<string, string>, appId = 'shop') =>
      call(
        `${issuerOf(latchkey, appId, 'own')}/authorize?${new URLSearchParams({ client_id: appId, ...parameters })}`,
      );
    const isInteraction = (answer: Awaited<ReturnType<typeof call>>): boolean =>
      answer.headers.get('location')?.includes('/interaction/') ?? false;
    const expectRefused = async (request: string, why: string): Promise<void> => {
      const answer = await ask({ request });
      const told = `${answer.status} ${answer.headers.get('location')} ${answer.text}`;
      expect(isInteraction(answer), why).to.equal(false);
      expect(told, why).to.include('invalid_request_object');
      expect(answer.headers.get('location') ?? '', why).to.not.include('evil.example');
    };

    for (const kind of ['shared', 'own'] as const)
      it(`#12 sign a person in at the ${kind} issuer, by the client's own keys and nothing that is outside of them`, async () => {
        const configuration = await discover(latchkey, shop, kind);
        const request = await authorizationRequest(configuration, {}, (at, parameters) =>
          oidc.buildAuthorizationUrlWithJAR(at, parameters, { key: pair.privateKey, kid: 'k1' }),
        );
        expect([...request.url.searchParams.keys()].toSorted()).to.deep.equal(['client_id', 'request']);
        request.url.searchParams.set('redirect_uri', EVIL);
        request.url.searchParams.set('nonce', 'another');
        const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
        expect(url.startsWith(`${REDIRECT}?`), url).to.equal(true);
        const tokens = await redeem(configuration, request, url);
        expect(tokens.claims()!.nonce).to.equal(request.nonce);
      });

    it('#12 are refused without a signature, or with one by HS256 and a public key, or by a stranger', async () => {
      expect(isInteraction(await ask({ request: await signed() })), 'the good one').to.equal(true);
      const evil = claims({ redirect_uri: EVIL });
      await expectRefused(new UnsecuredJWT(claims()).encode(), 'none');
      await expectRefused(new UnsecuredJWT(evil).encode(), 'none, leading elsewhere');
      const byStranger = new SignJWT(evil).setProtectedHeader({ alg: 'ES256', kid: 'k1' });
      await expectRefused(await byStranger.sign(stranger.privateKey), 'another key');
      const ours = (await importJWK(pair.publicJwk, 'ES256', { extractable: true })) as CryptoKey;
      for (const secret of [await exportSPKI(ours), JSON.stringify(pair.publicJwk), shop.secret!]) {
        const hmac = new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'k1' });
        await expectRefused(await hmac.sign(new TextEncoder().encode(secret)), 'HS256');
      }
    });

    it('#12 are refused when expired, endless, too early, or made by or for somebody else', async () => {
      for (const [why, more] of Object.entries({
        expired: { exp: now() - MINUTE },
        endless: { exp: undefined },
        'two hours': { exp: now() + 120 * MINUTE },
        'not yet': { nbf: now() + 5 * MINUTE },
        'issued later': { iat: now() + 5 * MINUTE },
        'no aud': { aud: undefined },
        'another issuer of ours': { aud: latchkey.baseUrl },
        'another app': { aud: issuerOf(latchkey, 'strict', 'own') },
        'another server': { aud: 'https://evil.example' },
        'no iss': { iss: undefined },
        'another iss': { iss: 'strict' },
        'another client': { client_id: 'strict' },
        'one inside the other': { request_uri: 'https://evil.example/request' },
      }))
        await expectRefused(await signed(more), why);
      await expectRefused(await signed({}, { typ: 'at+jwt' }), 'a JWT of another type');
    });

    it('#12 can be opened again while they live, by whoever holds them, and yield a code for each sign-in alone', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      const request = await authorizationRequest(configuration, {}, (at, parameters) =>
        oidc.buildAuthorizationUrlWithJAR(at, parameters, { key: pair.privateKey, kid: 'k1' }),
      );
      const agent = latchkey.agent();
      const first = await signInByPassword(agent, request, EMAIL);
      const second = await agent.open(request.url.href);
      expect(new URL(second.url).searchParams.get('code')).to.be.a('string');
      expect(second.url).to.not.equal(first.url);
      // It is no sign-in for another browser.
      expect((await latchkey.agent().open(request.url.href)).url).to.include('/interaction/');
    });

    it('#12 are never fetched: a request_uri that is not a pushed one is refused before anything else', async () => {
      for (const uri of [
        'http://169.254.169.254/',
        `${latchkey.baseUrl}/healthz`,
        'https://evil.example/r.jwt',
      ]) {
        const answer = await ask({ request_uri: uri });
        const told = `${answer.headers.get('location')} ${answer.text}`;
        expect(isInteraction(answer)).to.equal(false);
        expect(told, uri).to.match(/request_uri_not_supported|invalid_request_uri/);
      }
    });

    it('#12 are needed where the client says so, and refused where the app has not switched them on', async () => {
      const unsigned = {
        response_type: 'code',
        redirect_uri: REDIRECT,
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      };
      const refused = await ask(unsigned, 'strict');
      expect(new URL(refused.headers.get('location')!).searchParams.get('error')).to.equal('invalid_request');
      const mine = { iss: 'strict', client_id: 'strict', aud: issuerOf(latchkey, 'strict', 'own') };
      expect(isInteraction(await ask({ request: await signed(mine) }, 'strict'))).to.equal(true);
      expect((await discover(latchkey, strict, 'own')).serverMetadata().request_parameter_supported).to.equal(
        true,
      );
      const off = await ask({ ...unsigned, request: await signed() }, 'plain');
      expect(`${off.headers.get('location')} ${off.text}`).to.include('request_not_supported');
    });
  });
}
