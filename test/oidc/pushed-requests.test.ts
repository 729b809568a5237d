import { expect } from 'chai';
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
  type Request,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { atOnce, post, redeemCode } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';

const push = (configuration: oidc.Configuration, parameters: Record<string, string> = {}): Promise<Request> =>
  authorizationRequest(configuration, parameters, oidc.buildAuthorizationUrlWithPAR);

const errorOf = (url: string): string | null => new URL(url).searchParams.get('error');

for (const driver of drivers) {
  describe(`pushed authorization requests, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let strict: TestClient;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      strict = await makeApp(latchkey, 'strict', {
        settings: { require_pushed_authorization_requests: true, par_ttl: 20 },
      });
      for (const appId of ['shop', 'strict']) await makeUser(latchkey, appId, EMAIL);
    });
    after(() => latchkey.stop());

    for (const kind of ['shared', 'own'] as const) {
      it(`sign a person in at the ${kind} issuer, with a refresh token and nothing but the reference in the URL`, async () => {
        const configuration = await discover(latchkey, shop, kind);
        expect(configuration.serverMetadata().pushed_authorization_request_endpoint).to.equal(
          `${issuerOf(latchkey, 'shop', kind)}/par`,
        );
        const request = await push(configuration);
        expect([...request.url.searchParams.keys()].toSorted()).to.deep.equal(['client_id', 'request_uri']);
        const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
        const tokens = await redeem(configuration, request, url);
        expect(tokens.refresh_token).to.be.a('string');
        expect(tokens.claims()!.iss).to.equal(issuerOf(latchkey, 'shop', kind));
      });
    }

    it('live as long as the app says, by the clock of the store', async () => {
      const configuration = await discover(latchkey, strict, 'own');
      const pushed = await post(
        configuration.serverMetadata().pushed_authorization_request_endpoint!,
        strict,
        {
          client_id: 'strict',
          response_type: 'code',
          redirect_uri: REDIRECT,
          scope: 'openid',
          code_challenge: await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier()),
          code_challenge_method: 'S256',
        },
      );
      expect(pushed.status, pushed.text).to.equal(201);
      expect(pushed.body.expires_in).to.equal(20);
      if (driver === 'redis') return;
      await latchkey.sql(`update ephemeral set expires_at = now() where key like 'par:%'`);
      const url = `${issuerOf(latchkey, 'strict', 'own')}/authorize?client_id=strict&request_uri=${encodeURIComponent(pushed.body.request_uri)}`;
      expect(errorOf((await latchkey.agent().open(url)).url)).to.equal('invalid_request_uri');
    });

    it('are needed where the app, or the client, says so', async () => {
      const configuration = await discover(latchkey, strict, 'shared');
      const plain = await authorizationRequest(configuration);
      expect(errorOf((await latchkey.agent().open(plain.url.href)).url)).to.equal('invalid_request');
      const own = await discover(latchkey, strict, 'own');
      expect(own.serverMetadata()['require_pushed_authorization_requests']).to.equal(true);
      const made = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Careful',
        type: 'web',
        redirect_uris: [REDIRECT],
        settings: { require_pushed_authorization_requests: true },
      });
      const careful = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
      const at = await discover(latchkey, careful, 'shared');
      const refused = await authorizationRequest(at);
      expect(errorOf((await latchkey.agent().open(refused.url.href)).url)).to.equal('invalid_request');
      const request = await push(at);
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      expect((await redeem(at, request, url)).id_token).to.be.a('string');
    });

    it('are refused to a client that does not authenticate, without telling it more', async () => {
      const endpoint = `${issuerOf(latchkey, 'shop', 'own')}/par`;
      const body = { client_id: 'shop', response_type: 'code', redirect_uri: REDIRECT, scope: 'openid' };
      const wrong = await post(endpoint, { ...shop, secret: 'wrong' }, body);
      expect([wrong.status, wrong.body.error]).to.deep.equal([401, 'invalid_client']);
      const elsewhere = await post(endpoint, shop, { ...body, redirect_uri: 'https://evil.example/' });
      expect([elsewhere.status, elsewhere.body.error]).to.deep.equal([400, 'invalid_request']);
      const nested = await post(endpoint, shop, {
        ...body,
        request_uri: 'urn:ietf:params:oauth:request_uri:x',
      });
      expect([nested.status, nested.body.error]).to.deep.equal([400, 'request_uri_not_supported']);
    });

    it('belong to their client and to their issuer', async () => {
      const shared = await discover(latchkey, shop, 'shared');
      const { url } = await push(shared);
      const reference = url.searchParams.get('request_uri')!;
      const at = (base: string, clientId: string): string =>
        `${base}/authorize?${new URLSearchParams({ client_id: clientId, request_uri: reference })}`;
      const elsewhere = await latchkey.agent().open(at(issuerOf(latchkey, 'shop', 'own'), 'shop'));
      expect(errorOf(elsewhere.url)).to.equal('invalid_request_uri');
      const other = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Other',
        type: 'web',
        redirect_uris: [REDIRECT],
      });
      const stolen = await latchkey.agent().open(at(latchkey.baseUrl, other.body.client_id));
      expect(errorOf(stolen.url)).to.equal('invalid_request_object');
      expect(errorOf((await latchkey.agent().open(at(latchkey.baseUrl, 'strict'))).url)).to.equal(
        'invalid_request_uri',
      );
      expect((await latchkey.agent().open(at(latchkey.baseUrl, 'shop'))).status).to.equal(200);
    });

    it('may be reloaded while the person signs in, end in one code, and are then used up', async () => {
      const configuration = await discover(latchkey, shop, 'shared');
      const request = await push(configuration);
      const agent = latchkey.agent();
      await agent.open(request.url.href);
      const { url } = await signInByPassword(agent, request, EMAIL);
      expect(new URL(url).searchParams.get('code')).to.be.a('string');
      const again = await agent.open(request.url.href);
      expect(errorOf(again.url)).to.equal('invalid_request_uri');
    });

    it('asked for 16 at once by a signed-in browser end in one code, which works', async () => {
      const configuration = await discover(latchkey, shop, 'shared');
      const agent = latchkey.agent();
      await signInByPassword(agent, await authorizationRequest(configuration), EMAIL);
      const request = await push(configuration);
      const answers = await atOnce(16, () => agent.open(request.url.href));
      const won = answers.filter((page) => page.url.includes('code='));
      expect(won).to.have.length(1);
      const redeemed = await redeemCode(configuration, shop, {
        callback: won[0]!.url,
        verifier: request.verifier,
      });
      expect(redeemed.status, redeemed.text).to.equal(200);
    });

    it('that wait in several browsers end in one code, also when they have expired meanwhile', async () => {
      const configuration = await discover(latchkey, shop, 'shared');
      const request = await push(configuration);
      const waiting = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const agent = latchkey.agent();
          return { agent, page: await agent.open(request.url.href) };
        }),
      );
      if (driver === 'postgres') await latchkey.sql(`delete from ephemeral where key like 'par:%'`);
      const ends = await Promise.all(
        waiting.map(({ agent, page }) =>
          agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' }),
        ),
      );
      expect(ends.filter(({ url }) => url.includes('code='))).to.have.length(1);
    });

    it('leave nothing at rest, nor in a cookie, that could be presented', async () => {
      const configuration = await discover(latchkey, shop, 'shared');
      const request = await push(configuration);
      const agent = latchkey.agent();
      await agent.open(request.url.href);
      const id = request.url.searchParams.get('request_uri')!.split(':').at(-1)!;
      for (const name of agent.cookieNames()) expect(agent.cookie(name)).to.not.include(id);
      if (driver === 'redis') return;
      const rows = await latchkey.sql('select key, value from ephemeral');
      expect(JSON.stringify(rows)).to.include('digest:').and.not.include(id);
      const stored = rows
        .find((row) => row['key'].startsWith('par:shared:'))!
        ['key'].split(':')
        .at(-1);
      const forged = new URL(request.url);
      forged.searchParams.set('request_uri', `urn:ietf:params:oauth:request_uri:digest:${stored}`);
      expect(errorOf((await latchkey.agent().open(forged.href)).url)).to.equal('invalid_request_uri');
    });

    it('can be switched off for an app', async () => {
      await makeApp(latchkey, 'plain', { settings: { features: { pushed_authorization_requests: false } } });
      const own = await (
        await fetch(`${issuerOf(latchkey, 'plain', 'own')}/.well-known/openid-configuration`)
      ).json();
      expect(own).to.not.have.property('pushed_authorization_request_endpoint');
      const answer = await fetch(`${issuerOf(latchkey, 'plain', 'own')}/par`, { method: 'POST' });
      expect(answer.status).to.equal(404);
    });
  });
}
