import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
import { issuerOf } from '../support/sign-in.ts';
import { clients, type InteropClient } from './clients.ts';
import { startLyingIssuer } from './lying-issuer.ts';
import { record } from './last-passed.ts';
import { freePort, type RelyingApp, startApp } from './relying-app.ts';
import { prepare, type Program } from './toolchains.ts';

const EMAIL = 'ada@example.com';
const PASSWORD = 'seven quiet lanterns ashore';
const inEveryRun = new Set(['node', 'browser']);
const wanted = clients.filter(
  (client) => process.env['INTEROP_ALL'] === 'yes' || inEveryRun.has(client.language),
);

describe('client libraries as their documentation configures them', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let browser: Browser;

  before(async () => {
    [latchkey, browser] = await Promise.all([startTestLatchkey(), launchBrowser()]);
  });
  after(() => Promise.all([browser?.close(), latchkey?.stop()]));

  for (const client of wanted) flows(client, () => ({ latchkey, browser }));
});

type Started = { latchkey: TestLatchkey; browser: Browser };

function flows(client: InteropClient, started: () => Started): void {
  describe(`${client.name} (${client.language})`, () => {
    let program: Program;
    let issuer: string;
    let secret: string | undefined;
    let userId: string;
    let port: number;
    let app: RelyingApp;
    let context: BrowserContext;
    let page: Page;
    const appId = `interop-${client.name}`;

    before(async function () {
      this.timeout(20 * 60_000);
      const prepared = prepare(client);
      if (typeof prepared === 'string') {
        console.error(`      SKIPPED: ${client.name} needs ${prepared}, which is not installed here`);
        return this.skip();
      }
      program = prepared;
      const { latchkey, browser } = started();
      port = await freePort();
      ({ secret, userId } = await register(latchkey, client, { appId, port }));
      issuer = issuerOf(latchkey, appId, 'own');
      app = await startApp(program, port, { issuer, clientId: appId, clientSecret: secret });
      context = await newContext(browser);
      page = await context.newPage();
    });
    after(async () => {
      await context?.close();
      await app?.stop();
    });
    afterEach(function () {
      if (this.currentTest?.state === 'failed') console.error(app?.output());
    });

    it('signs a person in, and reads the claims of the ID token and of userinfo', async () => {
      await signIn(page, app, client);
      const { claims, userinfo } = await answerOf(page);
      expect(claims).to.include({ iss: issuer, aud: appId, sub: userId, app_id: appId });
      expect(userinfo).to.include({ sub: userId, email: EMAIL, email_verified: true });
    });

    it('refreshes, twice, because every refresh token works once', async () => {
      for (let i = 0; i < 2; i += 1) {
        await page.goto(`${app.origin}/refresh`);
        expect(await answerOf(page)).to.deep.equal({ refreshed: true, sub: userId });
      }
    });

    it('signs the person out, here and there', async () => {
      await page.goto(`${app.origin}/logout`);
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.waitForURL(new RegExp(`^${app.origin}/?`));
      await page.goto(`${app.origin}/me`);
      expect(await answerOf(page)).to.deep.equal({ error: 'not signed in' });
      const sessions = await started().latchkey.admin('GET', `/apps/${appId}/users/${userId}/sessions`);
      expect(sessions.body.items).to.deep.equal([]);
    });

    it(`refuses ${client.lie === 'nonce' ? 'an ID token with another nonce' : 'what another issuer than the configured one says'}`, async () => {
      await app.stop();
      const liar = await startLyingIssuer(issuer, client.lie ?? 'issuer');
      const registration = { issuer: liar.url, clientId: appId, clientSecret: secret };
      const fooled = await startApp(program, port, registration);
      const visitor = await newContext(started().browser);
      try {
        const other = await visitor.newPage();
        await signIn(other, fooled, client, { mayFail: true });
        await other.goto(`${fooled.origin}/me`);
        expect(await answerOf(other)).to.deep.equal({ error: 'not signed in' });
        record(client, program.version);
      } finally {
        await Promise.all([visitor.close(), fooled.stop(), liar.stop()]);
      }
    });
  });
}

async function register(
  latchkey: TestLatchkey,
  client: InteropClient,
  at: { appId: string; port: number },
): Promise<{ secret: string | undefined; userId: string }> {
  const origin = `http://localhost:${at.port}`;
  const created = await latchkey.admin('POST', '/apps', {
    app_id: at.appId,
    name: 'A shop',
    type: client.type,
    redirect_uris: [origin + client.callback],
    post_logout_redirect_uris: [origin, `${origin}/`],
    ...(client.type === 'spa' ? { allowed_origins: [origin] } : {}),
  });
  expect(created.status, JSON.stringify(created.body)).to.equal(201);
  if (client.settings) {
    const changed = await latchkey.admin('PATCH', `/apps/${at.appId}/clients/${at.appId}`, {
      settings: client.settings,
    });
    expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
  }
  const user = await latchkey.admin('POST', `/apps/${at.appId}/users`, {
    email: EMAIL,
    email_verified: true,
    password: PASSWORD,
    profile: { name: 'Ada Lovelace' },
  });
  expect(user.status, JSON.stringify(user.body)).to.equal(201);
  return { secret: created.body.client_secret, userId: user.body.user_id };
}

/** From the app's own "sign in" to wherever the app then leads. */
async function signIn(
  page: Page,
  app: RelyingApp,
  client: InteropClient,
  { mayFail = false } = {},
): Promise<void> {
  const answered = page
    .waitForRequest((request) => request.url().startsWith(app.origin) && request.url().includes('code='))
    .then((request) => request.url());
  await page.goto(`${app.origin}/login`);
  if (client.begins) await page.getByRole('button', { name: client.begins }).click();
  await page.fill('input[name=email]', EMAIL);
  await page.fill('input[name=password]', PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  if (mayFail) {
    // The lie must have come as far as the library.
    expect(await answered, 'no code came back to the app').to.contain(client.callback);
    await page.waitForURL((url) => url.origin === app.origin);
    return page.waitForLoadState('networkidle');
  }
  await page.waitForURL(`${app.origin}/me`);
}

/** What the app says, once it says something. */
async function answerOf(page: Page): Promise<Record<string, any>> {
  await page.waitForFunction("document.body.innerText.trim().startsWith('{')");
  return JSON.parse(await page.innerText('body'));
}
