import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, REDIRECT, signedIn, type TestClient } from '../support/sign-in.ts';
import { type Answer, basic, call, introspect, post } from '../support/token-calls.ts';

const EVIL = 'https://evil.test';
const ALLOWED = 'https://app.shop.test';

describe('what clients may do', () => {
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let statements: string[] = [];

  before(async () => {
    latchkey = await startTestLatchkey({
      driver: 'redis',
      observe: (statement: { text: string }) => statements.push(statement.text),
    });
    shop = await makeApp(latchkey, 'shop', {
      redirect_uris: [REDIRECT, 'https://rp.test/cb'],
      allowed_origins: [ALLOWED],
    });
    await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(() => latchkey.stop());

  const makeClient = async (more: Record<string, unknown>): Promise<TestClient> => {
    const made = await latchkey.admin('POST', '/apps/shop/clients', { name: 'Client', ...more });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
  };
  const tokenUrl = (kind: 'own' | 'shared' = 'shared'): string =>
    kind === 'own' ? `${latchkey.baseUrl}/auth/shop/token` : `${latchkey.baseUrl}/token`;
  const expectError = (answer: Answer, status: number, error: string): void => {
    expect([answer.status, answer.body?.error], answer.text).to.deep.equal([status, error]);
  };

  describe('#1 a redirect URI', () => {
    const authorize = (clientId: string, redirectUri: string): Promise<Answer> =>
      call(
        `${latchkey.baseUrl}/authorize?${new URLSearchParams({
          client_id: clientId,
          redirect_uri: redirectUri,
          response_type: 'code',
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
        }).toString()}`,
        { headers: { accept: 'text/html' } },
      );
    const expectRefusedPage = async (clientId: string, uri: string): Promise<void> => {
      const answer = await authorize(clientId, uri);
      expect(answer.status, uri).to.equal(400);
      expect(answer.headers.get('location'), uri).to.equal(null);
      expect(answer.text).to.not.include('evil');
    };

    it('#1 is compared as an exact string; anything else is a page without Location that repeats nothing', async () => {
      const registered = 'https://rp.test/cb';
      expect((await authorize('shop', registered)).status).to.equal(303);
      for (const uri of [
        `${registered}/`,
        `${registered}?x=1`,
        `${registered}%2f..%2fevil`,
        `${registered}/../evil`,
        'https://rp.test@evil.test/cb',
        'https://rp.test.evil.test/cb',
        'https://RP.test/cb',
        'https://rp.test/CB',
        'https://rp.test:443/cb',
        `${registered}#x`,
        'https://rp.test',
        'https:rp.test/cb',
        '//rp.test/cb',
        'http://rp.test/cb',
        'javascript:alert(1)',
        'data:text/html,evil',
        ` ${registered}`,
        `${registered} `,
        `${registered}\u0000`,
      ])
        await expectRefusedPage('shop', uri);
    });

    it('#3 of a native app may name any port of 127.0.0.1 and [::1], and nothing else may differ', async () => {
      const uris = [
        'http://127.0.0.1/cb',
        'http://[::1]/cb',
        'http://localhost:8080/cb',
        'com.example.app:/cb',
      ];
      const native = await makeClient({ type: 'native', redirect_uris: uris });
      for (const uri of [
        'http://127.0.0.1:49152/cb',
        'http://127.0.0.1/cb',
        'http://[::1]:49152/cb',
        'http://localhost:8080/cb',
        'com.example.app:/cb',
      ])
        expect((await authorize(native.clientId, uri)).status, uri).to.equal(303);
      for (const uri of [
        'http://127.0.0.1:49152@evil.test/cb',
        'http://evil@127.0.0.1:49152/cb',
        'http://127.0.0.1:49152/cb/evil',
        'http://127.0.0.1:49152/cb?evil=1',
        'http://127.0.0.1:49152/cb#evil',
        'http://127.0.0.1:99999999/cb',
        'http://127.0.0.1:/cb',
        'http://127.0.0.2:49152/cb',
        'http://127.1:49152/cb',
        'http://2130706433:49152/cb',
        'https://127.0.0.1:49152/cb',
        'http://[::ffff:127.0.0.1]:49152/cb',
        'http://localhost:8081/cb',
        'http://localhost/cb',
        'com.example.app:/evil',
        'com.example.app://evil/cb',
      ])
        await expectRefusedPage(native.clientId, uri);
    });

    it('#3 of a web client names its port, also on loopback', async () => {
      const web = await makeClient({ type: 'web', redirect_uris: ['http://127.0.0.1:8080/cb'] });
      expect((await authorize(web.clientId, 'http://127.0.0.1:8080/cb')).status).to.equal(303);
      await expectRefusedPage(web.clientId, 'http://127.0.0.1:8081/cb');
    });
  });

  describe('#18 authenticating', () => {
    const credentials = { grant_type: 'client_credentials' };
    let service: TestClient;
    before(async () => {
      service = await makeClient({ type: 'service' });
    });

    it('#18 with a secret in the query is refused', async () => {
      for (const kind of ['shared', 'own'] as const) {
        const query = `client_id=${service.clientId}&client_secret=${service.secret!}`;
        const answer = await call(`${tokenUrl(kind)}?${query}`, {
          method: 'POST',
          body: new URLSearchParams(credentials),
        });
        expectError(answer, 400, 'invalid_request');
      }
    });

    it('#18 in two ways at once is refused, also when both are right', async () => {
      const bodies = [
        { client_secret: service.secret! },
        { client_id: service.clientId, client_secret: service.secret! },
        { client_assertion: 'a.b.c', client_assertion_type: 'x' },
      ];
      for (const body of bodies)
        expectError(await post(tokenUrl(), service, { ...credentials, ...body }), 400, 'invalid_request');
      const both = await call(tokenUrl('own'), {
        method: 'POST',
        body: new URLSearchParams({
          ...credentials,
          client_id: service.clientId,
          client_secret: service.secret!,
          client_assertion: 'a.b.c',
        }),
      });
      expectError(both, 400, 'invalid_request');
    });

    it('#18 by another method than the registered one is refused', async () => {
      const pair = await import('../support/assertions.ts').then(({ makePair }) => makePair('ES256'));
      const keyed = await makeClient({
        type: 'service',
        settings: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [pair.publicJwk] } },
      });
      expectError(await post(tokenUrl(), { ...keyed, secret: 'x' }, credentials), 401, 'invalid_client');
      const nothing = await call(tokenUrl(), {
        method: 'POST',
        body: new URLSearchParams({ ...credentials, client_id: keyed.clientId }),
      });
      expectError(nothing, 401, 'invalid_client');
    });

    it('#18 with a Basic header that is not strictly encoded is refused', async () => {
      const encoded = Buffer.from(`${service.clientId}:${service.secret!}`).toString('base64');
      const send = (authorization: string): Promise<Answer> =>
        call(tokenUrl('own'), {
          method: 'POST',
          headers: { authorization },
          body: new URLSearchParams(credentials),
        });
      expect((await send(`Basic ${encoded}`)).status).to.equal(200);
      for (const wrong of [
        `Basic ${encoded}!`,
        `Basic ${encoded} ${encoded}`,
        `Basic  ${encoded}`,
        'Basic',
        'Basic Og==',
        `Basic ${Buffer.from(service.clientId).toString('base64')}`,
        `Basic ${Buffer.from(`${service.clientId}:%zz`).toString('base64')}`,
        `Basic ${Buffer.from(`${service.clientId}:`).toString('base64')}`,
        `Bearer ${encoded}`,
      ]) {
        const answer = await send(wrong);
        expect(answer.status, wrong).to.be.oneOf([400, 401]);
        expect(answer.body.error).to.be.oneOf(['invalid_request', 'invalid_client']);
      }
    });

    it('#18 an unknown client costs and is told the same as a known one with a wrong secret', async () => {
      const unknown = { appId: 'shop', clientId: `cli_${'0'.repeat(32)}`, secret: 'wrong' };
      const known = { ...service, secret: 'wrong' };
      const seen: { text: string; headers: string[]; statements: string[] }[] = [];
      for (const client of [known, unknown]) {
        await post(tokenUrl('own'), client, credentials);
        statements = [];
        const answer = await post(tokenUrl('own'), client, credentials);
        expectError(answer, 401, 'invalid_client');
        const headers = [...answer.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
        seen.push({
          text: answer.text,
          headers: headers
            .map(([name, value]) => `${name}: ${name === 'content-security-policy' ? '' : value}`)
            .toSorted(),
          statements: statements.filter((text) => !/revision/.test(text)),
        });
      }
      expect(seen[1]).to.deep.equal(seen[0]);
    });
  });

  describe('#23 a service account', () => {
    it('#23 gets the scopes it was given and no others', async () => {
      const service = await makeClient({ type: 'service', scopes: ['orders:read'] });
      const ask = (scope: string) => post(tokenUrl(), service, { grant_type: 'client_credentials', scope });
      expect((await ask('orders:read')).body.scope).to.equal('orders:read');
      for (const scope of ['admin', 'openid', 'offline_access', 'orders:read orders:write'])
        expectError(await ask(scope), 400, 'invalid_scope');
    });

    it('#23 disabled is refused, and its tokens are worth nothing', async () => {
      const service = await makeClient({ type: 'service' });
      const issued = await post(tokenUrl(), service, { grant_type: 'client_credentials' });
      const path = `/apps/shop/clients/${service.clientId}`;
      await latchkey.admin('PATCH', path, { disabled: true });
      expectError(
        await post(tokenUrl(), service, { grant_type: 'client_credentials' }),
        401,
        'invalid_client',
      );
      const told = await call(`${latchkey.baseUrl}/introspect`, {
        method: 'POST',
        headers: basic(shop),
        body: new URLSearchParams({ token: issued.body.access_token }),
      });
      expect(told.body).to.deep.equal({ active: false });
      await latchkey.admin('PATCH', path, { disabled: false });
      expect((await post(tokenUrl(), service, { grant_type: 'client_credentials' })).status).to.equal(200);
    });

    it('#23 never passes as a user', async () => {
      const service = await makeClient({ type: 'service' });
      const { body } = await post(tokenUrl(), service, { grant_type: 'client_credentials' });
      expect(decodeJwt(body.access_token).sub).to.equal(service.clientId);
      const answer = await call(`${latchkey.baseUrl}/userinfo`, {
        headers: { authorization: `Bearer ${body.access_token}` },
      });
      expect(answer.status).to.equal(401);
      for (const form of [
        { grant_type: 'authorization_code', code: 'x', redirect_uri: REDIRECT },
        { grant_type: 'refresh_token', refresh_token: 'x' },
      ])
        expect((await post(tokenUrl(), service, form)).status).to.be.oneOf([400, 401]);
    });

    it('has several secrets that are rotated and revoked alone', async () => {
      const service = await makeClient({ type: 'service' });
      const path = `/apps/shop/clients/${service.clientId}/secrets`;
      const works = async (secret: string): Promise<boolean> =>
        (await post(tokenUrl(), { ...service, secret }, { grant_type: 'client_credentials' })).status === 200;
      const second = (await latchkey.admin('POST', path, { expires_in: 3600 })).body;
      expect([await works(service.secret!), await works(second.client_secret)]).to.deep.equal([true, true]);
      const [first] = (await latchkey.admin('GET', path)).body.items.filter(
        (secret: { secret_id: string }) => secret.secret_id !== second.secret_id,
      );
      await latchkey.admin('DELETE', `${path}/${first.secret_id}`);
      expect([await works(service.secret!), await works(second.client_secret)]).to.deep.equal([false, true]);
      const third = (await latchkey.admin('POST', `${path}/rotate`, { old_expire_in: 0 })).body;
      expect([await works(second.client_secret), await works(third.client_secret)]).to.deep.equal([
        false,
        true,
      ]);
    });
  });

  describe('#28 introspection and revocation', () => {
    it("#28 of another client's token tells nothing and ends nothing", async () => {
      const other = await makeClient({ type: 'web', redirect_uris: [REDIRECT] });
      const { configuration, tokens } = await signedIn(latchkey, shop, { email: 'ada@example.com' });
      expect((await introspect(configuration, other, tokens.access_token)).body).to.deep.equal({
        active: false,
      });
      expect((await introspect(configuration, other, tokens.refresh_token!)).body).to.deep.equal({
        active: false,
      });
      for (const token of [tokens.access_token, tokens.refresh_token!])
        await post(configuration.serverMetadata().revocation_endpoint!, other, { token });
      expect((await introspect(configuration, shop, tokens.access_token)).body.active).to.equal(true);
      expect((await introspect(configuration, shop, tokens.refresh_token!)).body.active).to.equal(true);
    });

    it('#28 needs a client that authenticates', async () => {
      const spa = await makeClient({ type: 'spa', redirect_uris: [REDIRECT] });
      const { body } = await post(tokenUrl(), await makeClient({ type: 'service' }), {
        grant_type: 'client_credentials',
      });
      for (const form of [{}, { client_id: spa.clientId }, { client_id: 'shop', client_secret: 'wrong' }]) {
        const answer = await call(`${latchkey.baseUrl}/introspect`, {
          method: 'POST',
          body: new URLSearchParams({ token: body.access_token, ...form } as Record<string, string>),
        });
        expect(answer.body, answer.text).to.not.have.property('client_id');
        if (answer.status === 200) expect(answer.body).to.deep.equal({ active: false });
        else expect(answer.status).to.be.oneOf([400, 401, 403]);
      }
    });
  });

  describe('#30 other origins', () => {
    const corsOf = ({ headers }: Answer) => [
      headers.get('access-control-allow-origin'),
      headers.get('access-control-allow-credentials'),
    ];

    it('#30 are answered for the origins of that client alone, on success and on failure, never with credentials', async () => {
      const spa = await makeClient({ type: 'spa', redirect_uris: [REDIRECT], allowed_origins: [ALLOWED] });
      const ask = (origin: string, more: Record<string, string> = {}): Promise<Answer> =>
        call(tokenUrl(), {
          method: 'POST',
          headers: { origin },
          body: new URLSearchParams({
            grant_type: 'authorization_code',
            code: 'x',
            redirect_uri: REDIRECT,
            code_verifier: 'x'.repeat(43),
            client_id: spa.clientId,
            ...more,
          }),
        });
      expect(corsOf(await ask(ALLOWED))).to.deep.equal([ALLOWED, null]);
      for (const origin of [EVIL, 'null', `${ALLOWED}.evil.test`, ALLOWED.replace('https', 'http')]) {
        const refused = await ask(origin);
        expect(corsOf(refused), origin).to.deep.equal([null, null]);
        expect(refused.status).to.equal(400);
      }
      expect(corsOf(await ask(ALLOWED, { client_id: 'nobody' }))).to.deep.equal([null, null]);
    });

    it('#30 reach userinfo and revocation by the same rule', async () => {
      const { configuration, tokens } = await signedIn(latchkey, shop, { email: 'ada@example.com' });
      for (const [origin, expected] of [
        [ALLOWED, ALLOWED],
        [EVIL, null],
      ] as const) {
        const answer = await call(configuration.serverMetadata().userinfo_endpoint!, {
          headers: { origin, authorization: `Bearer ${tokens.access_token}` },
        });
        expect(corsOf(answer), origin).to.deep.equal([expected, null]);
      }
    });

    it('#30 asking beforehand get no credentials either, and published documents are for everyone', async () => {
      const preflight = await call(tokenUrl(), {
        method: 'OPTIONS',
        headers: { origin: EVIL, 'access-control-request-method': 'POST' },
      });
      expect([preflight.status, corsOf(preflight)[1]]).to.deep.equal([204, null]);
      const metadata = await call(`${latchkey.baseUrl}/.well-known/openid-configuration`, {
        headers: { origin: EVIL },
      });
      expect(corsOf(metadata)).to.deep.equal(['*', null]);
    });
  });
});
