import { expect } from 'chai';
import supertest from 'supertest';
import { clientAddress, networkOf } from '../../src/http/client-address.ts';
import { clearCookie, setCookie } from '../../src/http/cookies.ts';
import { showPage } from '../../src/http/page.ts';
import { requireWithin, hit } from '../../src/http/rate-limit.ts';
import { allowFormTo } from '../../src/http/security-headers.ts';
import { Problem, unavailable } from '../../src/kernel/problem.ts';
import { pageOf, sampleConfig, sampleServer } from './sample-server.ts';

describe('the address of the client', () => {
  const addressBehind = async (trustedProxies: string[], forwarded?: string) => {
    const { app } = sampleServer(
      (ctx) => {
        ctx.body = clientAddress(ctx);
      },
      { trustedProxies },
    );
    const request = supertest(app.callback()).get('/');
    return (await (forwarded === undefined ? request : request.set('x-forwarded-for', forwarded))).text;
  };

  it('is the peer, whatever a header says, unless the peer is a trusted proxy', async () => {
    expect(await addressBehind([], '203.0.113.9')).to.equal('127.0.0.1');
    expect(await addressBehind(['10.0.0.0/8'], '203.0.113.9')).to.equal('127.0.0.1');
  });

  it('is the last hop that is no proxy of ours', async () => {
    const ours = ['127.0.0.0/8', '10.0.0.0/8', '2001:db8:1::/48'];
    expect(await addressBehind(ours, '203.0.113.9')).to.equal('203.0.113.9');
    expect(await addressBehind(ours, '6.6.6.6, 203.0.113.9, 10.1.1.1')).to.equal('203.0.113.9');
    expect(await addressBehind(ours, '6.6.6.6, 2001:db8:2::1, [2001:db8:1::9]:443')).to.equal(
      '2001:db8:2::1',
    );
    expect(await addressBehind(ours, '::ffff:203.0.113.9')).to.equal('203.0.113.9');
  });

  it('falls back to the nearest known hop when the header is nonsense', async () => {
    const ours = ['127.0.0.1', '10.0.0.0/8'];
    expect(await addressBehind(ours, 'evil, 10.1.1.1')).to.equal('10.1.1.1');
    expect(await addressBehind(ours, '<script>')).to.equal('127.0.0.1');
    expect(await addressBehind(ours)).to.equal('127.0.0.1');
  });

  it('counts as one network per /64 in IPv6', () => {
    expect(networkOf('203.0.113.9')).to.equal('203.0.113.9');
    expect(networkOf('2001:db8:1:2:3:4:5:6')).to.equal('2001:db8:1:2::/64');
    expect(networkOf('2001:db8::6')).to.equal('2001:db8:0:0::/64');
    expect(networkOf('::1')).to.equal('0:0:0:0::/64');
  });
});

describe('the id of a request', () => {
  const ask = async (trustedProxies: string[], id: string) =>
    (await supertest(
      sampleServer(
        (ctx) => {
          ctx.body = ctx.state.requestId;
        },
        { trustedProxies },
      ).app.callback(),
    )
      .get('/')
      .set('x-request-id', id)) as { text: string; headers: Record<string, string> };

  it('is ours, unless a trusted proxy gave a sound one', async () => {
    expect((await ask([], 'given-by-a-stranger')).text).to.match(/^[0-9a-f-]{36}$/);
    const kept = await ask(['127.0.0.1'], 'given-by-our-proxy');
    expect([kept.text, kept.headers['x-request-id']]).to.deep.equal([
      'given-by-our-proxy',
      'given-by-our-proxy',
    ]);
    expect((await ask(['127.0.0.1'], 'x"}{"level":"fatal')).text).to.match(/^[0-9a-f-]{36}$/);
  });
});

describe('security headers', () => {
  it('forbid everything but our own, with a new nonce each time', async () => {
    const { app, deps } = sampleServer((ctx) => showPage(ctx, deps, 'any/page'));
    const [one, two] = await Promise.all([
      supertest(app.callback()).get('/'),
      supertest(app.callback()).get('/'),
    ]);
    const { nonce } = pageOf(one.text).options as { nonce: string };
    expect(one.headers['content-security-policy']).to.equal(
      `default-src 'none'; style-src 'self' 'nonce-${nonce}'; script-src 'self' 'nonce-${nonce}'; img-src 'self' data:; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
    );
    expect(pageOf(two.text).options.nonce).not.to.equal(nonce);
    expect(one.headers).to.include({
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect(one.headers).not.to.have.property('strict-transport-security');
  });

  it('let a form lead to the redirect URI of the request, and to nothing that could end the directive', async () => {
    const { app, deps } = sampleServer((ctx) => {
      for (const uri of [
        'https://app.example/cb?x',
        'com.example.app:/cb',
        'http://127.0.0.1:9/cb',
        'not a url',
        "https://evil.example;script-src 'unsafe-inline'/",
      ])
        allowFormTo(ctx, uri);
      showPage(ctx, deps, 'any/page');
    });
    const policy = (await supertest(app.callback()).get('/')).headers['content-security-policy'];
    expect(policy).to.include(
      "form-action 'self' https://app.example com.example.app: http://127.0.0.1:9; frame-ancestors",
    );
  });

  it('pin https where BASE_URL is https', async () => {
    const { app } = sampleServer(
      (ctx) => {
        ctx.body = 'x';
      },
      { isHttps: true },
    );
    expect((await supertest(app.callback()).get('/')).headers['strict-transport-security']).to.include(
      'max-age=31536000',
    );
  });
});

describe('errors', () => {
  const answerTo = (work: () => unknown) => {
    const server = sampleServer(work);
    return { ...server, request: supertest(server.app.callback()) };
  };

  it('say nothing about an unknown path, in HTML or JSON as asked', async () => {
    const { request } = answerTo(() => {});
    const page = await request
      .get('/auth/some-app/secret-name')
      .set('accept', 'text/html,*/*;q=0.8')
      .expect(404);
    expect(pageOf(page.text)).to.deep.include({ name: 'error/not-found', model: {} });
    const json = await request.get('/nowhere').set('accept', 'application/json').expect(404);
    expect(json.headers['content-type']).to.include('application/problem+json');
    expect(json.body).to.include({ status: 404, code: 'request.not_found' });
    expect((await request.get('/api/v1/nowhere').expect(404)).body.code).to.equal('request.not_found');
  });

  it('are 500 with a number when they are bugs, and leak nothing', async () => {
    const { request, lines } = answerTo(() => {
      throw new Error('connect postgres://u:pw@db failed', { cause: new Error('deeper cause') });
    });
    const page = await request.get('/').set('accept', 'text/html').expect(500);
    expect(page.text).not.to.include('postgres');
    const { model } = pageOf(page.text);
    expect(model.request_id).to.equal(page.headers['x-request-id']);
    const logged = lines.find((line) => line.includes('a request failed'))!;
    expect(logged)
      .to.include(page.headers['x-request-id']!)
      .and.to.include('deeper cause')
      .and.not.to.include('u:pw');
  });

  it('carry the code, status and field of a Problem', async () => {
    const { request, lines } = answerTo(() => {
      throw new Problem({ code: 'users.email_taken', kind: 'conflict', message: 'Taken.', field: 'email' });
    });
    const answer = await request.get('/').set('accept', 'application/json').expect(409);
    expect(answer.body).to.include({
      code: 'users.email_taken',
      title: 'Conflict',
      detail: 'Taken.',
      status: 409,
      field: 'email',
    });
    expect(lines.filter((line) => !line.includes('"msg":"request"'))).to.deep.equal([]);
  });

  it('tell when to come back while a store is away', async () => {
    const answer = await answerTo(() => {
      throw unavailable('Postgres', new Error('secret host'));
    })
      .request.get('/')
      .set('accept', 'text/html')
      .expect(503);
    expect(answer.headers['retry-after']).to.equal('2');
    expect(pageOf(answer.text)).to.deep.include({ name: 'error/unavailable', model: { retry_after: 2 } });
    expect(answer.text).not.to.include('Postgres');
  });
});

describe('pages', () => {
  it('speak the language asked for by the request before that of the browser', async () => {
    const { app, deps } = sampleServer((ctx) => {
      ctx.state.uiLocales = ctx.query.ui_locales;
      ctx.state.app = { app_id: 'wolf', name: 'Wolf' };
      showPage(ctx, deps, 'any/page', { a: 1 });
    });
    const ask = async (query: string, header: string) =>
      await supertest(app.callback()).get(`/${query}`).set('accept-language', header);
    expect(pageOf((await ask('', 'de-CH,fr;q=0.5')).text).options).to.deep.include({
      locale: 'de',
      app: { app_id: 'wolf', name: 'Wolf' },
    });
    const french = await ask('?ui_locales=xx%20fr', 'de');
    expect(french.headers['content-language']).to.equal('fr');
    expect(pageOf(french.text).model).to.deep.equal({ a: 1 });
  });

  it('get a form token when their scope is known', async () => {
    const { app, deps } = sampleServer((ctx) => {
      ctx.state.csrfScope = 'wolf';
      showPage(ctx, deps, 'any/page');
    });
    expect(pageOf((await supertest(app.callback()).get('/')).text).model.csrf).to.match(/^[\w-]{43}$/);
  });
});

describe('cookies', () => {
  it('are set once per name, and cleared with the attributes they were set with', async () => {
    const config = sampleConfig({ isHttps: true });
    const { app } = sampleServer((ctx) => {
      setCookie(ctx, config, { name: 'a', value: '1' });
      setCookie(ctx, config, {
        name: 'b',
        value: '2',
        path: '/auth/x',
        maxAgeSeconds: 60.7,
        sameSite: 'Strict',
      });
      setCookie(ctx, config, { name: 'a', value: '3' });
      clearCookie(ctx, config, 'c');
      ctx.body = '';
    });
    expect((await supertest(app.callback()).get('/')).get('set-cookie')).to.deep.equal([
      '__Secure-b=2; Path=/auth/x; HttpOnly; SameSite=Strict; Secure; Max-Age=60',
      '__Host-a=3; Path=/; HttpOnly; SameSite=Lax; Secure',
      '__Host-c=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0',
    ]);
  });
});

describe('rate limits', () => {
  const limit = { appId: 'wolf', key: 'sign-in:1', limit: 20, windowSeconds: 60 };

  it('count in the store', async () => {
    let count = 0;
    const store = {
      increment: async (appId: string, key: string, ttl: number) => (
        expect([appId, key, ttl]).to.deep.equal(['wolf', 'rate:sign-in:1', 60]), ++count
      ),
    };
    for (let i = 0; i < 20; i++) expect((await hit(store, limit)).allowed).to.equal(true);
    expect(await hit(store, limit)).to.deep.equal({ allowed: false, retryAfterSeconds: 60 });
    const refusal = await requireWithin(store, limit).catch((error: unknown) => error);
    expect(refusal).to.include({ code: 'request.limited', status: 429, retryAfterSeconds: 60 });
  });

  it('count in the process at a tenth while the store is away', async () => {
    const store = {
      increment: async (): Promise<number> => {
        throw unavailable('Redis');
      },
    };
    const allowed = [];
    for (let i = 0; i < 4; i++) allowed.push((await hit(store, limit)).allowed);
    expect(allowed).to.deep.equal([true, true, false, false]);
    expect((await hit(store, { ...limit, key: 'other' })).allowed).to.equal(true);
  });
});
