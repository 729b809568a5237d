import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, introspect, post, refresh, tokenUrl, userinfo } from '../support/token-calls.ts';

const ORDERS = 'https://orders.example';
const STOCK = 'https://stock.example/v1';
const FOREIGN = 'https://books.example';

const api = (identifier: string, scopes: string[], more: object = {}) => ({
  identifier,
  name: new URL(identifier).hostname,
  scopes: scopes.map((name) => ({ name, description: `May ${name}` })),
  ...more,
});

for (const driver of drivers) {
  describe(`APIs as resources of access tokens, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let books: TestClient;
    const apiIds: Record<string, string> = {};

    const addApi = async (appId: string, body: object): Promise<any> => {
      const made = await latchkey.admin('POST', `/apps/${appId}/apis`, body);
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return made.body;
    };
    const addClient = async (appId: string, body: object): Promise<TestClient> => {
      const made = await latchkey.admin('POST', `/apps/${appId}/clients`, body);
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return { appId, clientId: made.body.client_id, secret: made.body.client_secret };
    };

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      books = await makeApp(latchkey, 'books');
      await makeUser(latchkey, 'shop', 'ada@example.com');
      apiIds.orders = (await addApi('shop', api(ORDERS, ['orders:read', 'orders:write']))).api_id;
      apiIds.stock = (await addApi('shop', api(STOCK, ['stock:read'], { access_token_ttl: 120 }))).api_id;
      await addApi('books', api(FOREIGN, ['books:read']));
    });
    after(() => latchkey.stop());

    for (const kind of ['own', 'shared'] as const) {
      const configurationOf = () => discover(latchkey, shop, kind);
      const signInFor = (parameters: Record<string, string>) =>
        signedIn(latchkey, shop, { email: 'ada@example.com', kind, parameters });

      it(`#25 gives a token whose audience is the API alone, with its scopes alone (${kind} issuer)`, async () => {
        const { tokens } = await signInFor({
          resource: ORDERS,
          scope: 'openid email orders:read stock:read',
        });
        const claims = decodeJwt(tokens.access_token);
        expect(claims.aud).to.equal(ORDERS);
        expect(claims['scope']).to.equal('orders:read');
        expect(claims['app_id']).to.equal('shop');
        expect(decodeProtectedHeader(tokens.access_token).typ).to.equal('at+jwt');
        expect(tokens.claims()!.aud).to.equal('shop');
      });

      it(`#25 leaves a token without resource as it was: for the app (${kind} issuer)`, async () => {
        const { tokens } = await signInFor({ scope: 'openid email orders:read' });
        const claims = decodeJwt(tokens.access_token);
        expect(claims.aud).to.equal('shop');
        expect(claims['scope']).to.equal('openid email');
      });

      it(`#25 refuses a token made for an API at userinfo (${kind} issuer)`, async () => {
        const { tokens, configuration } = await signInFor({
          resource: ORDERS,
          scope: 'openid email orders:read',
        });
        const refused = await userinfo(configuration, tokens.access_token);
        expect(refused.status).to.equal(401);
        expect(refused.body.error).to.equal('invalid_token');
      });

      it(`answers invalid_target alike for what is unknown and what is another app's (${kind} issuer)`, async () => {
        const configuration = await configurationOf();
        const answers = [];
        for (const resource of [FOREIGN, 'https://nobody.example', 'books', 'urn:latchkey:app:books']) {
          const { url } = await authorizationRequest(configuration, { resource, scope: 'openid' });
          const page = await latchkey.agent().open(url.href);
          const back = new URL(page.url).searchParams;
          expect(back.get('error'), resource).to.equal('invalid_target');
          if (URL.canParse(resource)) answers.push(back.get('error_description'));
        }
        expect(new Set(answers).size).to.equal(1);
      });
    }

    it('narrows to one of several resources at the token endpoint, and at refresh to another', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      const request = await authorizationRequest(configuration, {
        scope: 'openid offline_access orders:read stock:read',
      });
      request.url.searchParams.append('resource', ORDERS);
      request.url.searchParams.append('resource', STOCK);
      const page = await signInByPassword(latchkey.agent(), request, 'ada@example.com', PASSWORD);
      const form = {
        grant_type: 'authorization_code',
        code: new URL(page.url).searchParams.get('code')!,
        redirect_uri: REDIRECT,
        code_verifier: request.verifier,
        resource: ORDERS,
      };
      const first = await post(tokenUrl(configuration), shop, form);
      expect(first.status, first.text).to.equal(200);
      expect(decodeJwt(first.body.access_token).aud).to.equal(ORDERS);
      const second = await post(tokenUrl(configuration), shop, {
        grant_type: 'refresh_token',
        refresh_token: first.body.refresh_token,
        resource: STOCK,
      });
      expect(second.status, second.text).to.equal(200);
      const claims = decodeJwt(second.body.access_token);
      expect([claims.aud, claims['scope'], second.body.expires_in]).to.deep.equal([STOCK, 'stock:read', 120]);
      const ambiguous = await refresh(configuration, shop, second.body.refresh_token);
      expect([ambiguous.status, ambiguous.body.error]).to.deep.equal([400, 'invalid_target']);
    });

    it('gives a refresh no resource that was not authorized', async () => {
      const { tokens, configuration } = await signedIn(latchkey, shop, {
        email: 'ada@example.com',
        parameters: { resource: ORDERS, scope: 'openid offline_access orders:read' },
      });
      const refused = await post(tokenUrl(configuration), shop, {
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token!,
        resource: STOCK,
      });
      expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_target']);
    });

    describe('service accounts', () => {
      let worker: TestClient;
      let configuration: oidc.Configuration;
      const ask = (more: Record<string, string>): Promise<Answer> =>
        post(tokenUrl(configuration), worker, { grant_type: 'client_credentials', ...more });

      before(async () => {
        configuration = await discover(latchkey, shop, 'shared');
        worker = await addClient('shop', {
          name: 'Worker',
          type: 'service',
          scopes: ['reports:read'],
          settings: { api_scopes: { [ORDERS]: ['orders:read'] } },
        });
      });

      it('get the scopes of an API that were given to them, and no others', async () => {
        const given = await ask({ resource: ORDERS, scope: 'orders:read' });
        expect(given.status, given.text).to.equal(200);
        const claims = decodeJwt(given.body.access_token);
        expect([claims.aud, claims['scope'], claims.sub]).to.deep.equal([
          ORDERS,
          'orders:read',
          worker.clientId,
        ]);
        for (const scope of ['orders:write', 'orders:read orders:write', 'reports:read', 'openid']) {
          const refused = await ask({ resource: ORDERS, scope });
          expect([refused.status, refused.body.error], scope).to.deep.equal([400, 'invalid_scope']);
        }
      });

      it('get their own scopes without a resource, and none of an API', async () => {
        const own = await ask({ scope: 'reports:read' });
        expect(decodeJwt(own.body.access_token).aud).to.equal('shop');
        const refused = await ask({ scope: 'orders:read' });
        expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_scope']);
      });

      it('get no token for an API that was not given to them, nor for one of another app', async () => {
        for (const resource of [STOCK, FOREIGN, 'https://nobody.example']) {
          const refused = await ask({ resource });
          expect([refused.status, refused.body.error], resource).to.deep.equal([400, 'invalid_target']);
        }
      });
    });

    it('#28 lets an API introspect tokens made for it, and no others', async () => {
      const server = await addClient('shop', { name: 'Orders server', type: 'service' });
      const other = await addClient('shop', { name: 'Other server', type: 'service' });
      const changed = await latchkey.admin('PATCH', `/apps/shop/apis/${apiIds.orders}`, {
        server_clients: [server.clientId],
      });
      expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
      const { tokens, configuration } = await signedIn(latchkey, shop, {
        email: 'ada@example.com',
        parameters: { resource: ORDERS, scope: 'openid orders:read' },
      });
      const seen = await introspect(configuration, server, tokens.access_token);
      expect(seen.body).to.include({ active: true, aud: ORDERS, scope: 'orders:read', app_id: 'shop' });
      expect((await introspect(configuration, other, tokens.access_token)).body).to.deep.equal({
        active: false,
      });
      const forApp = await signedIn(latchkey, shop, { email: 'ada@example.com' });
      expect((await introspect(configuration, server, forApp.tokens.access_token)).body).to.deep.equal({
        active: false,
      });
      expect(
        (await introspect(await discover(latchkey, books, 'shared'), books, tokens.access_token)).body,
      ).to.deep.equal({ active: false });
    });

    it('asks people of a third-party client in the words of the API, and grants what they saw', async () => {
      const partner = await addClient('shop', {
        name: 'Partner',
        type: 'web',
        redirect_uris: [REDIRECT],
        settings: { first_party: false },
      });
      const agent = latchkey.agent();
      const configuration = await discover(latchkey, partner, 'own');
      const request = await authorizationRequest(configuration, {
        resource: ORDERS,
        scope: 'openid orders:read',
      });
      const page = await signInByPassword(agent, request, 'ada@example.com');
      expect(page.html).to.include('May orders:read').and.not.include('May orders:write');
      const back = await agent.submit(page, { decision: 'allow' }, { ending: '/consent' });
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(back.url), {
        pkceCodeVerifier: request.verifier,
        expectedState: request.state,
        expectedNonce: request.nonce,
      });
      expect(decodeJwt(tokens.access_token)).to.include({ aud: ORDERS, scope: 'orders:read' });
    });

    it('gives an API that names defaults to a request without scopes', async () => {
      await addApi('shop', {
        identifier: 'https://mcp.example/',
        name: 'Tools',
        scopes: [
          { name: 'tools:use', description: 'Use tools', default: true },
          { name: 'tools:admin', description: 'Change tools' },
        ],
      });
      const configuration = await discover(latchkey, shop, 'own');
      const request = await authorizationRequest(configuration, { resource: 'https://mcp.example' });
      for (const name of ['scope', 'nonce']) request.url.searchParams.delete(name);
      const page = await signInByPassword(latchkey.agent(), request, 'ada@example.com');
      const given = await post(tokenUrl(configuration), shop, {
        grant_type: 'authorization_code',
        code: new URL(page.url).searchParams.get('code')!,
        redirect_uri: REDIRECT,
        code_verifier: request.verifier,
      });
      expect(given.status, given.text).to.equal(200);
      expect(decodeJwt(given.body.access_token)).to.include({
        aud: 'https://mcp.example/',
        scope: 'tools:use',
      });
    });

    it('makes tokens for a deleted API inactive and gives no new ones', async () => {
      const made = await addApi('shop', api('https://old.example', ['old:read']));
      const { tokens, configuration } = await signedIn(latchkey, shop, {
        email: 'ada@example.com',
        parameters: { resource: 'https://old.example', scope: 'openid offline_access old:read' },
      });
      expect((await introspect(configuration, shop, tokens.access_token)).body.active).to.equal(true);
      expect((await latchkey.admin('DELETE', `/apps/shop/apis/${made.api_id}`)).status).to.equal(204);
      expect((await introspect(configuration, shop, tokens.access_token)).body.active).to.equal(false);
      const refused = await refresh(configuration, shop, tokens.refresh_token!);
      expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_target']);
    });
  });
}
