import { expect } from 'chai';
import supertest from 'supertest';
import { formBody } from '../../src/http/bodies.ts';
import { csrfFor, requireCsrf } from '../../src/http/csrf.ts';
import { sampleServer } from './sample-server.ts';

const { app } = sampleServer(async (ctx) => {
  const scope = String(ctx.query.scope ?? 'one');
  if (ctx.method === 'GET') {
    ctx.body = csrfFor(ctx, scope);
    return;
  }
  requireCsrf(ctx, scope, (await formBody(ctx)).csrf);
  ctx.body = 'done';
});

describe('form tokens', () => {
  const agent = () => supertest.agent(app.callback());
  type Agent = ReturnType<typeof agent>;
  const tokenOf = async (browser: Agent, scope = 'one') =>
    (await browser.get(`/?scope=${scope}`).expect(200)).text;
  const post = (browser: Agent, csrf: string | undefined, headers: Record<string, string> = {}) =>
    browser
      .post('/')
      .set('accept', 'application/json')
      .set(headers)
      .type('form')
      .send(csrf === undefined ? { x: '1' } : { csrf });

  it('let through the form that was given out', async () => {
    const browser = agent();
    await post(browser, await tokenOf(browser)).expect(200);
  });

  it('are one cookie, host-only, out of reach of scripts, set once', async () => {
    const browser = agent();
    const first = await browser.get('/');
    expect(first.get('set-cookie')).to.have.length(1);
    expect(first.get('set-cookie')![0]).to.match(/^lk_csrf=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await browser.get('/')).get('set-cookie')).to.equal(undefined);
  });

  it('use a __Host- cookie on https, also behind a proxy that speaks plain http to us', async () => {
    const secure = sampleServer(
      (ctx) => {
        ctx.body = csrfFor(ctx, 'x');
      },
      { isHttps: true, baseUrl: 'https://id.example.com' },
    );
    const answer = await supertest(secure.app.callback()).get('/').expect(200);
    expect(answer.get('set-cookie')![0]).to.match(
      /^__Host-lk_csrf=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    );
  });

  it('are refused when missing, foreign, of another scope, or without the cookie', async () => {
    const browser = agent();
    const stranger = agent();
    const token = await tokenOf(browser);
    const strangers = await tokenOf(stranger);
    for (const wrong of [undefined, '', 'x', `${token}x`, strangers, await tokenOf(browser, 'two')]) {
      expect((await post(browser, wrong).expect(403)).body.code).to.equal('request.form_expired');
    }
    await post(agent(), token).expect(403);
  });

  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'null' },
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:3001' },
    { origin: 'http://localhost:3000.evil.example' },
  ] as Record<string, string>[]) {
    it(`do not help a request with ${JSON.stringify(headers)}`, async () => {
      const browser = agent();
      expect((await post(browser, await tokenOf(browser), headers).expect(403)).body.code).to.equal(
        'request.cross_site',
      );
    });
  }

  for (const headers of [
    { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:3000' },
    { 'sec-fetch-site': 'same-origin', origin: 'null' },
    { origin: 'null' },
    { 'sec-fetch-site': 'none' },
  ] as Record<string, string>[]) {
    it(`suffice with ${JSON.stringify(headers)}`, async () => {
      const browser = agent();
      await post(browser, await tokenOf(browser), headers).expect(200);
    });
  }
});
