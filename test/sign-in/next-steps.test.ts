import { expect } from 'chai';
import { createServer, type Server } from 'node:http';
import Koa from 'koa';
import { join } from 'node:path';
import { createAssets } from '../../src/http/assets.ts';
import { renderErrors } from '../../src/http/errors.ts';
import { createViews } from '../../src/http/views.ts';
import { limited } from '../../src/http/refusals.ts';
import { unavailable } from '../../src/kernel/problem.ts';
import { rememberState } from '../../src/http/request-state.ts';
import { type Agent, formsOf, type Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { askForLink, begin, isSignedIn, linkTo, makeApp, makeUser, signInWithPassword } from './people.ts';

/** The button that a page without forms ends with: where it leads. */
const nextStep = (page: Page): string => {
  const [, href] = /<a class="button primary" href="([^"]*)"/.exec(page.html) ?? [];
  if (href === undefined) throw new Error(`no next step on ${page.url}: ${page.html}`);
  return new URL(href, page.url).href;
};

describe('pages that say what went wrong, and the last way in', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  const described = (page: Page): string | undefined =>
    /<button[^>]*aria-describedby="last-used"[^>]*>(?:<svg[\s\S]*?<\/svg>)?([^<]*)/.exec(page.html)?.[1];

  it('a sign-in that is over, or of another browser, leads to the app', async () => {
    const page = await begin(lk.agent(), appId);
    const foreign = await lk.agent().open(page.url);
    expect(foreign.status).to.equal(410);
    expect(nextStep(foreign)).to.equal('https://shop.example/');
  });

  it('a dead link leads back to where it was asked for, and elsewhere to the app', async () => {
    const { email } = await makeUser(lk, appId);
    const agent = lk.agent();
    const start = await begin(agent, appId);
    await askForLink(agent, start, email);
    const link = await linkTo(lk, email);
    const dead = link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const here = await agent.open(dead);
    expect(here.status).to.equal(410);
    const again = await agent.open(nextStep(here));
    expect(formsOf(again).some(({ action }) => action.endsWith('/password'))).to.equal(true);
    expect(nextStep(await lk.agent().open(dead))).to.equal('https://shop.example/');
  });

  it('a form that was open for too long leads back to its page', async () => {
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const refused = await agent.submit(page, { csrf: 'old', email: 'a@b.example', password: 'x' });
    expect(refused.status).to.equal(403);
    const again = await agent.open(nextStep(refused));
    expect(again.url).to.equal(page.url);
    expect(formsOf(again).length).to.be.above(0);
  });

  it('an app that has no site leads to the account, an unknown one to the front page', async () => {
    const native = 'pocket-shop';
    const redirect_uris = ['com.example.shop:/done'];
    const app = { app_id: native, name: 'Pocket Shop', type: 'native', redirect_uris };
    expect((await lk.admin('POST', '/apps', app)).status).to.equal(201);
    const stranger = await lk.agent().open(`/auth/${native}/interaction/unknown`);
    expect(nextStep(stranger)).to.equal(`${lk.baseUrl}/auth/${native}/account`);
    for (const path of ['/auth/nobody-here/interaction/unknown', '/nothing/here', '/auth/nobody/authorize'])
      expect(nextStep(await lk.agent().open(path)), path).to.equal(`${lk.baseUrl}/`);
    await lk.admin('PATCH', `/apps/${native}`, { disabled: true });
    const gone = await lk.agent().open(`/auth/${native}/account`);
    expect(gone.status).to.equal(404);
    expect(nextStep(gone)).to.equal(`${lk.baseUrl}/`);
  });

  it('names the way in that this browser used last at this app, and nobody who used it', async () => {
    const { email } = await makeUser(lk, appId);
    const agent = lk.agent();
    expect(described(await begin(agent, appId))).to.equal(undefined);
    expect(isSignedIn(await signInWithPassword(agent, appId, email))).to.equal(true);
    expect(agent.cookie(`lk_method.${appId}`)).to.equal('password');
    expect(described(await begin(agent, appId, { prompt: 'login' }))).to.equal('Sign in');
    await signInByLink(agent, email);
    expect(agent.cookie(`lk_method.${appId}`)).to.equal('magic_link');
    expect(described(await begin(agent, appId, { prompt: 'login' }))).to.equal('E-mail me a sign-in link');
    expect(described(await begin(agent, await makeApp(lk)))).to.equal(undefined);
  });

  it('does not remember a wrong try, and prints nothing that a cookie invents', async () => {
    const { email } = await makeUser(lk, appId);
    const agent = lk.agent();
    await signInWithPassword(agent, appId, email, 'not the password at all');
    expect(agent.cookie(`lk_method.${appId}`)).to.equal(undefined);
    for (const invented of ['carrier_pigeon', '%3Cimg%3E', 'constructor', 'a'.repeat(500)]) {
      agent.setCookie(`lk_method.${appId}`, invented);
      const page = await begin(agent, appId);
      expect(page.status).to.equal(200);
      expect(page.html).to.not.include('last-used').and.not.include(invented);
    }
  });

  async function signInByLink(agent: Agent, email: string): Promise<void> {
    await askForLink(agent, await begin(agent, appId, { prompt: 'login' }), email);
    const done = await agent.submit(await agent.open(await linkTo(lk, email)), {});
    expect(isSignedIn(done)).to.equal(true);
  }
});

describe('pages about what passes by itself', () => {
  const root = join(import.meta.dirname, '../..');
  const views = createViews({
    viewsDir: join(root, 'views'),
    assets: createAssets(join(root, 'views/assets')),
  });
  let server: Server;
  before((done) => {
    const log = { error() {}, warn() {} } as never;
    const koa = new Koa();
    koa.use(async (ctx, next) => {
      Object.assign(ctx.state, { requestId: 'r-1', nonce: 'n', formActions: [] });
      rememberState(ctx);
      await next();
    });
    koa.use(renderErrors({ views, log }));
    koa.use((ctx) => {
      if (ctx.path === '/full') throw limited(90);
      if (ctx.path === '/away') throw unavailable('the database');
      throw new Error('a bug');
    });
    server = createServer(koa.callback()).listen(0, '127.0.0.1', done);
  });
  after(() => server.close());

  it('offer to try the same address again: too many, a store that is away, a bug', async () => {
    const { port } = server.address() as { port: number };
    for (const [path, status] of [
      ['/full', 429],
      ['/away', 503],
      ['/bug', 500],
    ] as const) {
      const url = `http://127.0.0.1:${port}${path}?x=printed-nowhere`;
      const answer = await fetch(url, { headers: { accept: 'text/html' } });
      const page = { status: answer.status, url, html: await answer.text(), headers: answer.headers };
      expect(page.status).to.equal(status);
      expect(nextStep(page)).to.equal(url);
      expect(page.html).to.not.include('printed-nowhere');
    }
  });
});
