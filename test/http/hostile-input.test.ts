import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, type TestClient } from '../support/sign-in.ts';
import { type Answer, basic, call, post } from '../support/token-calls.ts';

const ADMIN = { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' };
const ISSUERS = ['', '/auth/shop'];
const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

describe('hostile input', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let userId: string;

  before(async () => {
    latchkey = await startTestLatchkey();
    shop = await makeApp(latchkey, 'shop');
    userId = await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(() => latchkey.stop());

  const patchUser = (body: string | ReadableStream): Promise<Answer> =>
    call(`${latchkey.baseUrl}/api/v1/apps/shop/users/${userId}`, {
      method: 'PATCH',
      headers: { ...ADMIN, ...JSON_TYPE },
      body,
      duplex: 'half',
    } as RequestInit);

  it('#80 over one megabyte is answered 413, as JSON and as a form, with and without a length', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    const streamed = (): ReadableStream => {
      let left = 17;
      const pull = (controller: ReadableStreamDefaultController): void => {
        if (left-- > 0) controller.enqueue(new Uint8Array(64 * 1024).fill(120));
        else controller.close();
      };
      return new ReadableStream({ pull });
    };
    for (const body of [`{"metadata":{"a":"${megabyte}"}}`, streamed()]) {
      const answer = await patchUser(body);
      expect([answer.status, answer.body.code]).to.deep.equal([413, 'request.too_large']);
    }
    for (const path of ['/token', '/auth/shop/token', '/introspect', '/revoke'])
      for (const body of [`a=${megabyte}`, streamed()]) {
        const init = { method: 'POST', headers: { ...basic(shop), ...FORM_TYPE }, body, duplex: 'half' };
        expect((await call(latchkey.baseUrl + path, init as RequestInit)).status, path).to.equal(413);
      }
  });

  it('#80 JSON may be so deep and no deeper', async () => {
    const nested = (depth: number): string => `{"metadata":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    expect((await patchUser(nested(10))).status).to.equal(200);
    for (const depth of [50, 1000, 100_000, 400_000]) {
      const answer = await patchUser(nested(depth));
      expect([answer.status, answer.body.code], String(depth)).to.deep.equal([400, 'request.malformed']);
    }
  });

  it('#80 __proto__ is inert: in bodies, forms and queries, as a name and below one', async () => {
    for (const body of [
      '{"__proto__":{"disabled":true}}',
      '{"metadata":{"__proto__":{"polluted":1}}}',
      '{"metadata":{"a":[{"\\u005f_proto__":{"polluted":1}}]}}',
      '{"profile":{"__proto__":{"polluted":1}}}',
    ])
      expect((await patchUser(body)).status, body).to.equal(400);
    // A name like another: nothing of the prototype is reached by it.
    const kept = await patchUser('{"metadata":{"constructor":{"prototype":{"polluted":1}},"toString":"x"}}');
    expect(kept.status, kept.text).to.equal(200);
    expect(Object.hasOwn(kept.body.metadata, 'constructor')).to.equal(true);
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    for (const name of ['__proto__', '__proto__[polluted]', 'constructor[prototype][polluted]'])
      form.append(name, '1');
    for (const issuer of ISSUERS) {
      const url = `${latchkey.baseUrl}${issuer}/token`;
      const token = await call(url, { method: 'POST', headers: basic(shop), body: form });
      expect(token.status).to.equal(400);
    }
    const listed = await call(`${latchkey.baseUrl}/api/v1/apps?__proto__=1`, { headers: ADMIN });
    expect(listed.status).to.equal(400);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
    const user = await latchkey.admin('GET', `/apps/shop/users/${userId}`);
    expect([user.body.disabled, user.body.polluted]).to.deep.equal([false, undefined]);
  });

  it('#80 text that no column can hold is refused, wherever it comes from', async () => {
    for (const text of ['\\u0000', 'a\\u0000b', '\\ud800', '\\udc00\\ud800'])
      for (const body of [
        `{"metadata":{"a":"${text}"}}`,
        `{"metadata":{"${text}":1}}`,
        `{"profile":{"name":"${text}"}}`,
      ]) {
        const answer = await patchUser(body);
        expect([answer.status, answer.body.code], body).to.deep.equal([400, 'request.invalid']);
      }
    const nul = 'a\0b';
    const tokenOf = (claims: object): string =>
      ['{"alg":"RS256"}', JSON.stringify(claims), 'x']
        .map((part) => Buffer.from(part).toString('base64url'))
        .join('.');
    for (const issuer of ISSUERS) {
      const at = latchkey.baseUrl + issuer;
      const stranger = { ...shop, clientId: encodeURIComponent(nul) };
      const forms: Record<string, string>[] = [
        { grant_type: 'authorization_code', code: nul, redirect_uri: nul, code_verifier: nul },
        { grant_type: 'refresh_token', refresh_token: nul },
        { grant_type: nul, token: nul, client_assertion_type: nul, client_assertion: tokenOf({ sub: nul }) },
      ];
      for (const form of forms)
        for (const client of [shop, stranger])
          for (const path of ['token', 'introspect', 'revoke', 'par', 'device_authorization']) {
            const answer = await post(`${at}/${path}`, client, { token: nul, ...form });
            expect(answer.status, `${at}/${path} ${answer.text}`).to.be.below(500);
          }
      for (const token of [tokenOf({ app_id: nul, jti: nul, sid: nul }), 'a%00b']) {
        const answer = await call(`${at}/userinfo`, { headers: { authorization: `Bearer ${token}` } });
        expect(answer.status).to.equal(401);
      }
      for (const name of [
        'client_id',
        'id_token_hint',
        'post_logout_redirect_uri',
        'state',
        'request_uri',
        'login_hint',
      ])
        for (const path of ['authorize', 'logout', 'device']) {
          const query = new URLSearchParams({ client_id: 'shop', user_code: nul, [name]: nul });
          expect((await call(`${at}/${path}?${query}`)).status, `${path} ${name}`).to.be.below(500);
        }
    }
  });

  it('#80 an Authorization header that is none is refused as such, at every door that reads one', async () => {
    const headers = [
      'Bearer',
      'Bearer ',
      'Bearer  ',
      'Bearer a b',
      'Bearer ..',
      'Bearer e30.e30.',
      `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.W10.x`,
      `Bearer ${'A'.repeat(10_000)}`,
      'DPoP',
      'DPoP x',
      'Basic',
      'Basic %%%',
      'Basic Og==',
      'Basic OjpeOg==',
      `Basic ${Buffer.from('%E0%A4%A:x').toString('base64')}`,
      'Digest username="a"',
      ', , ,',
      'null',
      'undefined',
    ];
    for (const authorization of headers) {
      const ask = (path: string, form?: Record<string, string>): Promise<Answer> =>
        call(latchkey.baseUrl + path, {
          headers: { authorization },
          ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
        });
      expect((await ask('/api/v1/apps')).status, authorization).to.be.oneOf([401, 429]);
      for (const issuer of ISSUERS) {
        expect((await ask(`${issuer}/userinfo`)).status, authorization).to.be.oneOf([400, 401]);
        for (const path of ['token', 'introspect', 'revoke', 'par']) {
          const answer = await ask(`${issuer}/${path}`, { grant_type: 'client_credentials', token: 'x' });
          expect(answer.status, `${path} ${authorization} ${answer.text}`).to.be.oneOf([400, 401]);
        }
      }
    }
  });
});
