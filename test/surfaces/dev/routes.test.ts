import { expect } from 'chai';
import type { Middleware } from 'koa';
import supertest from 'supertest';
import type { Config } from '../../../src/config/config.ts';
import { createInbox } from '../../../src/delivery/inbox.ts';
import { createAssets } from '../../../src/http/assets.ts';
import { createViews } from '../../../src/http/views.ts';
import { createPlayground } from '../../../src/surfaces/dev/playground/create.ts';
import { decoded } from '../../../src/surfaces/dev/playground/present.ts';
import { devRoutes } from '../../../src/surfaces/dev/routes.ts';
import { landingRoutes } from '../../../src/surfaces/landing/routes.ts';
import { sampleServer } from '../../http/sample-server.ts';

const viewsDir = new URL('../../../views', import.meta.url).pathname;
const views = createViews({ viewsDir, assets: createAssets(`${viewsDir}/assets`) });
const HOST = 'localhost:3000';

function development(changes: Partial<Config> = {}) {
  const chain: Middleware[] = [];
  const sample = sampleServer(async (ctx) => {
    const run = async (at: number): Promise<void> => chain[at]?.(ctx, () => run(at + 1));
    await run(0);
  }, changes);
  const inbox = createInbox();
  const { baseUrl } = sample.deps.config;
  const playground = createPlayground({
    baseUrl: 'http://127.0.0.1:9',
    appName: 'Demo',
    clientId: 'demo',
    clientSecret: 'secret',
  });
  chain.push(
    devRoutes({ config: sample.deps.config, views, inbox, playground }),
    landingRoutes({ config: sample.deps.config, views, consoleUrl: null, docsUrl: null }),
  );
  return { inbox, baseUrl, browser: supertest.agent(sample.app.callback()) };
}

const mail = {
  messageId: '',
  appId: 'demo',
  fromName: 'Demo',
  to: 'mara@example.com',
  subject: 'Your <link>',
  text: 'see http://localhost:3000/x',
  html: '<p>Hello</p><script>alert(1)</script>',
};

describe('/dev', () => {
  it('lists what was sent, newest first, as a page and as JSON', async () => {
    const { browser, inbox } = development();
    await inbox.transport.send({ ...mail, subject: 'older' });
    await inbox.transport.send(mail);
    const json = await browser.get('/dev/inbox.json').set('host', HOST).expect(200);
    expect(json.body.map((message: { subject: string }) => message.subject)).to.deep.equal([
      'Your <link>',
      'older',
    ]);
    expect(json.body[0]).to.have.all.keys('id', 'channel', 'to', 'subject', 'text', 'html', 'sent_at');
    const page = await browser.get('/dev/inbox').set('host', HOST).expect(200);
    expect(page.text).to.include('Your &lt;link&gt;').and.to.include(`/dev/inbox/${json.body[0].id}`);
  });

  it('shows the HTML of a mail in a sandbox', async () => {
    const { browser, inbox } = development();
    await inbox.transport.send(mail);
    const answer = await browser.get(`/dev/inbox/${inbox.messages()[0]!.id}`).set('host', HOST).expect(200);
    expect(answer.text).to.equal(mail.html);
    expect(answer.headers['content-security-policy'])
      .to.match(/^sandbox; default-src 'none'; /)
      .and.not.include('script-src')
      .and.not.include('allow-');
    await browser.get('/dev/inbox/msg_0').set('host', HOST).expect(404);
  });

  const refused: [string, Partial<Config>, Record<string, string>][] = [
    ['in production', { environment: 'production' }, {}],
    ['where BASE_URL is not on loopback', { isLoopback: false }, {}],
    ['under another Host', {}, { host: 'evil.example:3000' }],
    ['under another port', {}, { host: 'localhost:3001' }],
    ['through a proxy on this machine', {}, { 'x-forwarded-for': '203.0.113.9' }],
  ];
  for (const [where, config, headers] of refused) {
    it(`is an ordinary 404 ${where}`, async () => {
      const { browser } = development(config);
      const nowhere = await browser.get('/nowhere').set('host', HOST).expect(404);
      for (const path of ['/dev/inbox', '/dev/inbox.json', '/dev/playground', '/dev/playground/callback']) {
        const answer = await browser
          .get(path)
          .set({ host: HOST, ...headers })
          .expect(404);
        expect(answer.text.replace(/nonce":"[^"]+/g, '')).to.equal(
          nowhere.text.replace(/nonce":"[^"]+/g, ''),
        );
      }
    });
  }

  it('offers both issuers in the playground', async () => {
    const page = await development().browser.get('/dev/playground').set('host', HOST).expect(200);
    for (const shown of [
      'value="shared"',
      'value="own"',
      'http://127.0.0.1:9/auth/demo',
      '/dev/playground/callback',
    ])
      expect(page.text).to.include(shown);
  });

  it('shows on the playground what went wrong, once', async () => {
    const { browser } = development();
    const page = await browser.get('/dev/playground').set('host', HOST);
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)![1]!;
    await browser
      .post('/dev/playground/start')
      .set('host', HOST)
      .type('form')
      .send({ issuer: 'own' })
      .expect(403);
    await browser
      .post('/dev/playground/start')
      .set('host', HOST)
      .type('form')
      .send({ issuer: 'own', csrf })
      .expect(303)
      .expect('location', '/dev/playground');
    const told = await browser.get('/dev/playground').set('host', HOST).expect(200);
    expect(told.text).to.include('role="alert"');
    expect((await browser.get('/dev/playground').set('host', HOST)).text).not.to.include('role="alert"');
  });

  it('ignores a callback and buttons of nobody', async () => {
    const { browser } = development();
    await browser
      .get('/dev/playground/callback?code=x&state=y')
      .set('host', HOST)
      .expect(303)
      .expect('location', '/dev/playground');
    await browser.post('/dev/playground/refresh').set('host', HOST).type('form').send({}).expect(403);
  });

  it('decodes a JWT and leaves an opaque token alone', () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(decoded(`${part({ alg: 'none' })}.${part({ sub: 'ü' })}.x`)).to.deep.include({
      header: { alg: 'none' },
      claims: { sub: 'ü' },
    });
    expect(decoded('opaque')).to.deep.equal({ header: null, claims: null, raw: 'opaque' });
  });
});

describe('/', () => {
  it('leads to playground and inbox in development, and does not name them elsewhere', async () => {
    const here = await development().browser.get('/').expect(200);
    expect(here.text).to.include('/dev/playground').and.to.include('/.well-known/openid-configuration');
    const there = await development({
      environment: 'production',
      baseUrl: 'https://id.example.com',
      isLoopback: false,
    })
      .browser.get('/')
      .expect(200);
    expect(there.text).not.to.include('/dev/');
  });
});
