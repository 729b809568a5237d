import { expect } from 'chai';
import { decodeJwt } from 'jose';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, call, introspect, post, userinfo } from '../support/token-calls.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ORDERS = 'https://orders.example';
const STOCK = 'https://stock.example';
const EMAIL = 'ada@example.com';

for (const driver of drivers) {
  describe(`token exchange (RFC 8693), on ${driver}`, function () {
    this.timeout(120_000);
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let books: TestClient;
    let gateway: TestClient;
    let support: TestClient;

    const addClient = async (appId: string, body: object): Promise<TestClient> => {
      const made = await latchkey.admin('POST', `/apps/${appId}/clients`, { type: 'service', ...body });
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return { appId, clientId: made.body.client_id, secret: made.body.client_secret };
    };
    const on = { settings: { features: { token_exchange: true } } };
    const may = (policy: object) => ({
      settings: { token_exchange: { audiences: [ORDERS, STOCK, 'shop'], ...policy } },
    });
    const tokenAt = (kind: 'own' | 'shared', appId = 'shop') => `${issuerOf(latchkey, appId, kind)}/token`;
    const exchange = (
      client: TestClient,
      token: string,
      more: Record<string, string> = {},
      kind: 'own' | 'shared' = 'own',
    ): Promise<Answer> =>
      post(tokenAt(kind, client.appId), client, {
        grant_type: GRANT,
        subject_token: token,
        subject_token_type: ACCESS_TOKEN,
        ...more,
      });
    const userToken = async (kind: 'own' | 'shared' = 'own', parameters: Record<string, string> = {}) =>
      (
        await signedIn(latchkey, shop, {
          email: EMAIL,
          kind,
          parameters: { resource: ORDERS, scope: 'openid orders:read things:read', ...parameters },
        })
      ).tokens.access_token;
    const trail = async (): Promise<any[]> =>
      (await latchkey.admin('GET', '/apps/shop/audit-events?limit=5')).body.items;
    const refusedAs = (answer: Answer, error: string): void => {
      expect([answer.status, answer.body.error], answer.text).to.deep.equal([400, error]);
    };

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop', on);
      books = await makeApp(latchkey, 'books', on);
      await makeUser(latchkey, 'shop', EMAIL);
      await makeUser(latchkey, 'books', EMAIL);
      gateway = await addClient('shop', { name: 'Gateway', ...may({ delegate: true }) });
      support = await addClient('shop', { name: 'Support', ...may({ impersonate: true }) });
      const apis = [
        { identifier: ORDERS, name: 'Orders', server_clients: [gateway.clientId, support.clientId] },
        { identifier: STOCK, name: 'Stock', access_token_ttl: 120 },
      ];
      const scopes = ['orders:read', 'things:read'];
      for (const [i, api] of apis.entries()) {
        const names = i === 0 ? scopes : ['things:read', 'stock:write'];
        const made = await latchkey.admin('POST', '/apps/shop/apis', {
          ...api,
          scopes: names.map((name) => ({ name })),
        });
        expect(made.status, JSON.stringify(made.body)).to.equal(201);
      }
    });
    after(() => latchkey.stop());

    for (const kind of ['own', 'shared'] as const) {
      it(`gives a service a token for another API that names it as the actor (${kind} issuer)`, async () => {
        const subject = await userToken(kind);
        const given = await exchange(gateway, subject, { resource: STOCK }, kind);
        expect(given.status, given.text).to.equal(200);
        expect(given.body).to.include({ issued_token_type: ACCESS_TOKEN, token_type: 'Bearer' });
        expect(given.body).not.to.have.any.keys('refresh_token', 'id_token');
        const claims = decodeJwt(given.body.access_token);
        const before = decodeJwt(subject);
        expect(claims).to.deep.include({
          aud: STOCK,
          sub: before.sub,
          scope: 'things:read',
          client_id: gateway.clientId,
          act: { sub: gateway.clientId },
          gid: before['gid'],
          app_id: 'shop',
          iss: issuerOf(latchkey, 'shop', kind),
        });
        expect(claims.exp! - claims.iat!).to.be.at.most(120);
        const [event] = await trail();
        expect(event).to.include({ type: 'token.exchanged', result: 'success', user_id: before.sub });
        expect(event.details).to.deep.include({ act: { sub: gateway.clientId }, audience: STOCK });
      });
    }

    it('impersonates without act where the client may, and says who asked in the trail', async () => {
      const subject = await userToken();
      const given = await exchange(support, subject, { audience: STOCK, scope: 'things:read' });
      expect(given.status, given.text).to.equal(200);
      const claims = decodeJwt(given.body.access_token);
      expect(claims).not.to.have.property('act');
      expect(claims['client_id']).to.equal(support.clientId);
      expect((await trail())[0]).to.deep.include({ type: 'token.exchanged', client_id: support.clientId });
    });

    it('names the actor whose token was handed in, with those before it behind', async () => {
      const subject = await userToken();
      const first = await exchange(gateway, subject, { resource: ORDERS });
      const machine = await addClient('shop', { name: 'Machine', ...may({ delegate: true }) });
      const apis = await latchkey.admin('GET', '/apps/shop/apis');
      const { api_id: apiId } = apis.body.items.find((one: any) => one.identifier === ORDERS);
      const servers = [gateway.clientId, support.clientId, machine.clientId];
      await latchkey.admin('PATCH', `/apps/shop/apis/${apiId}`, { server_clients: servers });
      const actor = await post(tokenAt('own'), machine, { grant_type: 'client_credentials' });
      const second = await exchange(machine, first.body.access_token, {
        resource: STOCK,
        actor_token: actor.body.access_token,
        actor_token_type: ACCESS_TOKEN,
      });
      expect(second.status, second.text).to.equal(200);
      expect(decodeJwt(second.body.access_token)['act']).to.deep.equal({
        sub: machine.clientId,
        act: { sub: gateway.clientId },
      });
      // An actor's token proves nothing in the hands of somebody else.
      const stolen = await exchange(gateway, subject, {
        resource: STOCK,
        actor_token: actor.body.access_token,
        actor_token_type: ACCESS_TOKEN,
      });
      refusedAs(stolen, 'invalid_request');
    });

    it('bounds the chain of actors', async () => {
      let token = await userToken();
      const answers = [];
      for (let i = 0; i < 6; i += 1) {
        const given = await exchange(gateway, token, { resource: ORDERS });
        answers.push(given.status);
        token = given.body.access_token ?? token;
      }
      expect(answers).to.deep.equal([200, 200, 200, 200, 400, 400]);
    });

    it('#29 never gives more scope than the subject token and the target have', async () => {
      const subject = await userToken('own', { scope: 'openid things:read' });
      for (const scope of ['stock:write', 'things:read stock:write', 'openid', 'orders:read'])
        refusedAs(await exchange(gateway, subject, { resource: STOCK, scope }), 'invalid_scope');
      const narrow = await exchange(gateway, await userToken('own', { scope: 'openid orders:read' }), {
        resource: STOCK,
      });
      expect(decodeJwt(narrow.body.access_token)).not.to.have.property('scope');
    });

    it('#29 never outlives the subject token', async () => {
      await latchkey.admin('PATCH', '/apps/shop', { settings: { access_token_ttl: 60 } });
      try {
        const subject = await userToken();
        await latchkey.admin('PATCH', '/apps/shop', { settings: { access_token_ttl: 3600 } });
        const given = await exchange(gateway, subject, { resource: STOCK });
        expect(decodeJwt(given.body.access_token).exp).to.be.at.most(decodeJwt(subject).exp!);
      } finally {
        await latchkey.admin('PATCH', '/apps/shop', { settings: { access_token_ttl: 600 } });
      }
    });

    it('#29 refuses what is revoked, another app’s, another issuer’s, expired in its grant, or no access token', async () => {
      const { tokens, configuration } = await signedIn(latchkey, shop, { email: EMAIL, kind: 'own' });
      const revoked = tokens.access_token;
      await post(configuration.serverMetadata().revocation_endpoint!, shop, { token: revoked });
      const foreign = (await signedIn(latchkey, books, { email: EMAIL, kind: 'own' })).tokens.access_token;
      const ended = await userToken();
      const { sub, gid } = decodeJwt(ended) as { sub: string; gid: string };
      expect((await latchkey.admin('DELETE', `/apps/shop/users/${sub}/grants/${gid}`)).status).to.equal(204);
      const service = await post(tokenAt('own'), gateway, { grant_type: 'client_credentials' });
      const bad = {
        revoked,
        foreign,
        ended,
        'of the other issuer': await userToken('shared'),
        'an ID token': tokens.id_token!,
        'a refresh token': tokens.refresh_token!,
        'a service account’s': service.body.access_token,
        nonsense: 'a.b.c',
      };
      for (const [what, token] of Object.entries(bad)) {
        const answer = await exchange(gateway, token, { resource: STOCK });
        expect([answer.status, answer.body.error], what).to.deep.equal([400, 'invalid_request']);
      }
      expect((await trail())[0]).to.include({ type: 'token.exchange_refused', result: 'failure' });
      refusedAs(await exchange(books, await userToken(), { resource: STOCK }), 'unauthorized_client');
    });

    it('#29 refuses targets that the operator did not allow, that do not exist, and other apps’', async () => {
      await latchkey.admin('POST', '/apps/books/apis', {
        identifier: 'https://books.example',
        name: 'Books',
      });
      const narrow = await addClient('shop', {
        name: 'Narrow',
        settings: {
          token_exchange: { delegate: true, audiences: [ORDERS, 'https://books.example', 'books'] },
        },
      });
      const forApp = (
        await signedIn(latchkey, shop, { email: EMAIL, kind: 'own', parameters: { scope: 'openid' } })
      ).tokens.access_token;
      for (const target of [STOCK, 'https://books.example', 'books', 'shop', 'https://nobody.example']) {
        refusedAs(await exchange(narrow, forApp, { audience: target }), 'invalid_target');
        refusedAs(await exchange(narrow, forApp, { resource: target }), 'invalid_target');
      }
    });

    it('#29 refuses clients that were not allowed, that no token was handed to, and public ones', async () => {
      const subject = await userToken();
      const plain = await addClient('shop', { name: 'Plain' });
      refusedAs(await exchange(plain, subject, { resource: STOCK }), 'unauthorized_client');
      const bystander = await addClient('shop', { name: 'Bystander', ...may({ delegate: true }) });
      refusedAs(await exchange(bystander, subject, { resource: STOCK }), 'invalid_request');
      const open = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Spa',
        type: 'spa',
        ...may({ delegate: true }),
      });
      expect([open.status, open.body.code]).to.deep.equal([400, 'clients.not_for_type']);
    });

    it('#29 ends with the grant of the subject token, and is no key to userinfo', async () => {
      const subject = await userToken();
      const given = await exchange(gateway, subject, { audience: 'shop' });
      expect(given.status, given.text).to.equal(200);
      const configuration = await discover(latchkey, shop, 'own');
      expect((await userinfo(configuration, given.body.access_token)).status).to.be.oneOf([401, 403]);
      const seen = await introspect(configuration, gateway, given.body.access_token);
      expect(seen.body).to.deep.include({ active: true, act: { sub: gateway.clientId } });
      const { sub, gid } = decodeJwt(subject) as { sub: string; gid: string };
      await latchkey.admin('DELETE', `/apps/shop/users/${sub}/grants/${gid}`);
      expect((await introspect(configuration, gateway, given.body.access_token)).body).to.deep.equal({
        active: false,
      });
    });

    it('is off unless the app has it on, and is in the metadata only there', async () => {
      const still = await makeApp(latchkey, 'still');
      const answer = await exchange(still, await userToken(), { resource: STOCK });
      refusedAs(answer, 'unsupported_grant_type');
      const grantsOf = async (url: string) =>
        (await call(`${url}/.well-known/openid-configuration`)).body.grant_types_supported;
      expect(await grantsOf(issuerOf(latchkey, 'still', 'own'))).not.to.include(GRANT);
      expect(await grantsOf(issuerOf(latchkey, 'shop', 'own'))).to.include(GRANT);
      expect(await grantsOf(latchkey.baseUrl)).to.include(GRANT);
    });

    it('refuses tokens that are bound to a key, and clients whose own must be, and says so', async () => {
      const configuration = await discover(latchkey, shop, 'own');
      const DPoP = oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair());
      const request = await authorizationRequest(configuration, { scope: 'openid' });
      const page = await signInByPassword(latchkey.agent(), request, EMAIL);
      const checks = {
        pkceCodeVerifier: request.verifier,
        expectedState: request.state,
        expectedNonce: request.nonce,
      };
      const bound = await oidc.authorizationCodeGrant(configuration, new URL(page.url), checks, undefined, {
        DPoP,
      });
      expect(decodeJwt(bound.access_token)).to.have.property('cnf');
      const refused = await exchange(gateway, bound.access_token, { audience: 'shop' });
      refusedAs(refused, 'invalid_request');
      expect(refused.body.error_description).to.equal('subject_token is sender-constrained');
      const strict = await addClient('shop', {
        name: 'Strict',
        settings: { ...may({ delegate: true }).settings, dpop_bound_access_tokens: true },
      });
      const answer = await exchange(strict, await userToken(), { resource: STOCK });
      refusedAs(answer, 'invalid_request');
      expect(answer.body.error_description).to.equal('sender-constrained tokens can not be exchanged');
    });

    it('takes access tokens only, by their type, and both halves of an actor', async () => {
      const subject = await userToken();
      const idToken = 'urn:ietf:params:oauth:token-type:id_token';
      for (const more of [
        { subject_token_type: idToken },
        { requested_token_type: idToken },
        { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
        { actor_token: subject },
        { actor_token_type: ACCESS_TOKEN },
      ])
        refusedAs(await exchange(gateway, subject, { resource: STOCK, ...more }), 'invalid_request');
    });
  });
}
