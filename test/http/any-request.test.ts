import { expect } from 'chai';
import type * as oidc from 'openid-client';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  REDIRECT,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, basic, call, post } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const ADMIN = { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const SPA_ORIGIN = 'https://spa.example.com';

/** Methods, origins and caches. */
describe('what any request may meet', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let spa: TestClient;
  let configuration: oidc.Configuration;

  before(async () => {
    latchkey = await startTestLatchkey();
    shop = await makeApp(latchkey, 'shop');
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Spa',
      type: 'spa',
      redirect_uris: [REDIRECT],
      allowed_origins: [SPA_ORIGIN],
    });
    spa = { appId: 'shop', clientId: made.body.client_id, secret: undefined };
    await makeUser(latchkey, 'shop', EMAIL);
    configuration = await discover(latchkey, spa, 'shared');
  });
  after(() => latchkey.stop());

  const codeOfSpa = async (): Promise<Record<string, string>> => {
    const request = await authorizationRequest(configuration);
    const page = await signInByPassword(latchkey.agent(), request, EMAIL);
    return {
      grant_type: 'authorization_code',
      client_id: spa.clientId,
      code: new URL(page.url).searchParams.get('code')!,
      redirect_uri: REDIRECT,
      code_verifier: request.verifier,
    };
  };
  const send = (
    path: string,
    origin: string,
    form?: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    call(latchkey.baseUrl + path, {
      method: form ? 'POST' : 'GET',
      headers: { origin, ...headers },
      ...(form ? { body: new URLSearchParams(form) } : {}),
    });
  const expectClosed = (answer: Answer, what: string): void => {
    expect(answer.headers.get('access-control-allow-origin'), what).to.equal(null);
    expect(answer.headers.get('access-control-allow-credentials'), what).to.equal(null);
  };

  it('#30 an origin that is not allowed may read nothing, of success or of failure', async () => {
    const evil = 'https://evil.test';
    const code = await codeOfSpa();
    const refused = await send('/token', evil, code);
    expect(refused.status).to.equal(400);
    expectClosed(refused, 'token');
    const answer = await send('/token', SPA_ORIGIN, code);
    expect(answer.status).to.equal(200);
    const bearer = { authorization: `Bearer ${answer.body.access_token}` };
    for (const prefix of ['', '/auth/shop']) {
      expectClosed(await send(`${prefix}/userinfo`, evil, undefined, bearer), 'userinfo');
      expectClosed(await send(`${prefix}/userinfo`, evil), 'userinfo without a token');
      expectClosed(
        await send(`${prefix}/userinfo`, evil, undefined, { authorization: 'Bearer x' }),
        'userinfo with nonsense',
      );
      for (const path of ['/token', '/introspect', '/revoke']) {
        expectClosed(
          await send(prefix + path, evil, {
            client_id: spa.clientId,
            token: 'x',
            grant_type: 'refresh_token',
            refresh_token: 'x',
          }),
          prefix + path,
        );
        expectClosed(await send(prefix + path, evil, { client_id: 'nobody' }), prefix + path);
        expectClosed(await send(prefix + path, evil, { token: 'x' }, basic(shop)), prefix + path);
        expectClosed(
          await call(latchkey.baseUrl + prefix + path, {
            method: 'POST',
            headers: { origin: evil, 'content-type': 'application/json' },
            body: '{}',
          }),
          prefix + path,
        );
      }
      expectClosed(await send(`${prefix}/authorize?client_id=${spa.clientId}`, evil), 'authorize');
    }
    expectClosed(await send('/api/v1/apps', evil, undefined, ADMIN), 'Admin API');
  });

  it('#30 an allowed origin may read answers of its client, without credentials', async () => {
    const answer = await send('/token', SPA_ORIGIN, await codeOfSpa());
    const answers = [
      answer,
      await send('/token', SPA_ORIGIN, {
        grant_type: 'refresh_token',
        refresh_token: 'x',
        client_id: spa.clientId,
      }),
      await send('/userinfo', SPA_ORIGIN, undefined, { authorization: `Bearer ${answer.body.access_token}` }),
    ];
    expect(answers.map((one) => one.status)).to.deep.equal([200, 400, 200]);
    for (const one of answers) {
      expect(one.headers.get('access-control-allow-origin')).to.equal(SPA_ORIGIN);
      expect(one.headers.get('vary') ?? '').to.match(/origin/i);
      expect(one.headers.get('access-control-allow-credentials')).to.equal(null);
    }
  });

  it('#30 a preflight is answered 204 for any origin, without credentials, and the documents are open', async () => {
    for (const path of [
      '/token',
      '/userinfo',
      '/auth/shop/token',
      '/auth/shop/userinfo',
      '/auth/no-such-app/token',
    ]) {
      const answer = await call(latchkey.baseUrl + path, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://any.test',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
      expect(answer.status).to.equal(204);
      expect(answer.headers.get('access-control-allow-credentials')).to.equal(null);
    }
    for (const path of [
      '/.well-known/openid-configuration',
      '/.well-known/jwks.json',
      '/auth/shop/.well-known/openid-configuration',
      '/auth/shop/.well-known/jwks.json',
    ]) {
      expect((await send(path, 'https://any.test')).headers.get('access-control-allow-origin')).to.be.oneOf([
        '*',
        'https://any.test',
      ]);
    }
  });

  it('#31 what holds tokens, people or secrets is stored by no cache', async () => {
    const answer = await call(`${latchkey.baseUrl}/token`, {
      method: 'POST',
      body: new URLSearchParams(await codeOfSpa()),
    });
    const failed = await call(`${latchkey.baseUrl}/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'nobody' }),
    });
    const info = await call(`${latchkey.baseUrl}/userinfo`, {
      headers: { authorization: `Bearer ${answer.body.access_token}` },
    });
    const looked = await post(`${latchkey.baseUrl}/introspect`, shop, { token: answer.body.access_token });
    const agent = latchkey.agent();
    const page = await agent.open((await authorizationRequest(configuration)).url.href);
    const wrong = await agent.submit(
      page,
      { email: EMAIL, password: 'wrong wrong wrong wrong' },
      { ending: '/password' },
    );
    const admin = await call(`${latchkey.baseUrl}/api/v1/apps`, { headers: ADMIN });
    for (const [name, one] of Object.entries({ answer, failed, info, looked, page, wrong, admin }))
      expect(one.headers.get('cache-control') ?? '', name).to.include('no-store');
    for (const html of [page, wrong]) {
      expect(html.headers.get('referrer-policy')).to.equal('no-referrer');
      expect(html.headers.get('x-frame-options')).to.equal('DENY');
      expect(html.headers.get('content-security-policy'))
        .to.include("frame-ancestors 'none'")
        .and.not.include('unsafe-');
    }
  });

  it('methods that an endpoint does not know are refused without a fault, and HEAD is GET without a body', async () => {
    const paths = [
      '/token',
      '/userinfo',
      '/authorize',
      '/introspect',
      '/revoke',
      '/logout',
      '/logout/confirm',
      '/.well-known/openid-configuration',
      '/.well-known/jwks.json',
    ];
    for (const prefix of ['', '/auth/shop']) {
      for (const path of [...paths, '/interaction/x', '/interaction/x/password']) {
        for (const method of ['PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
          const answer = await call(latchkey.baseUrl + prefix + path, {
            method,
            headers: FORM,
            ...(method === 'PROPFIND' ? {} : { body: 'client_id=shop' }),
          });
          expect(answer.status, `${method} ${prefix}${path}`).to.be.within(400, 405);
        }
        const head = await call(latchkey.baseUrl + prefix + path, { method: 'HEAD' });
        expect([head.status < 500, head.text], `HEAD ${prefix}${path}`).to.deep.equal([true, '']);
      }
      for (const path of paths.slice(-2))
        expect((await call(latchkey.baseUrl + prefix + path, { method: 'HEAD' })).status).to.equal(200);
    }
  });

  it('every operation of the Admin API that takes a body refuses a foreign, oversized, malformed or unknown one', async () => {
    const description = (await call(`${latchkey.baseUrl}/api/v1/openapi.json`)).body;
    const userId = (await latchkey.admin('GET', `/apps/shop/users?email=${EMAIL}`)).body.items[0].user_id;
    const values: Record<string, string> = { app_id: 'shop', client_id: spa.clientId, user_id: userId };
    let count = 0;
    for (const [path, operations] of Object.entries(
      description.paths as Record<string, Record<string, any>>,
    )) {
      for (const [method, operation] of Object.entries(operations)) {
        if (!operation.requestBody?.content['application/json']) continue;
        count += 1;
        const url =
          latchkey.baseUrl +
          (path.startsWith('/api/') ? '' : '/api/v1') +
          path.replaceAll(
            /\{(\w+)\}/g,
            (_, name: string) =>
              values[name] ?? `${name === 'api_id' ? 'api' : 'sec'}_0190a0a000007000800000000000abcd`,
          );
        const ask = (type: string, body: string): Promise<Answer> =>
          call(url, { method: method.toUpperCase(), headers: { ...ADMIN, 'content-type': type }, body });
        const what = `${method} ${path}`;
        expect(
          (await ask('application/json', JSON.stringify({ name: 'x'.repeat(1024 * 1024) }))).status,
          what,
        ).to.equal(413);
        expect((await ask('text/plain', '{}')).status, what).to.equal(415);
        expect((await ask('application/x-www-form-urlencoded', 'a=b')).status, what).to.equal(415);
        for (const body of [
          '{',
          '',
          '[',
          '{"a":1',
          '{"__proto__":{"x":1}}',
          '['.repeat(100) + ']'.repeat(100),
        ]) {
          const answer = await ask('application/json', body);
          expect([answer.status, answer.headers.get('content-type')], `${what} ${body}`).to.deep.equal([
            400,
            'application/problem+json',
          ]);
        }
        const unknown = await ask('application/json', '{"zzz_unknown":1}');
        expect([unknown.status, unknown.body.code, unknown.body.field], what).to.deep.equal([
          400,
          'request.unknown_field',
          'zzz_unknown',
        ]);
      }
    }
    expect(count).to.be.greaterThan(5);
  });

  it('the Admin API names the field of a query that is unknown or doubled', async () => {
    for (const [query, code] of [
      ['zzz=1', 'request.unknown_field'],
      ['limit=1&limit=2', 'request.duplicate_field'],
      ['limit=many', 'request.invalid'],
    ]) {
      const answer = await call(`${latchkey.baseUrl}/api/v1/apps?${query}`, { headers: ADMIN });
      expect([answer.status, answer.body.code, answer.body.field]).to.deep.equal([
        400,
        code,
        query!.split('=')[0],
      ]);
    }
  });
});
