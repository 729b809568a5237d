import { expect } from 'chai';
import type { Browser, BrowserContext } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
import { authorizeUrl, freshEmail, linkTo, makeApp, makeUser, PASSWORD } from './people.ts';

describe('a mail scanner that runs scripts and presses every button', () => {
  let lk: TestLatchkey;
  let appId: string;
  let browser: Browser;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    // Back to a page of ours, so that no request leaves this machine.
    appId = await makeApp(lk, {}, `${lk.baseUrl}/healthz`);
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await lk.stop();
  });

  /** Each button in a browser of its own, as scanners do. Returns what cookies they were left with. */
  const scan = async (link: string): Promise<string[]> => {
    const names: string[] = [];
    for (let button = 0, buttons = 1; button < buttons; button += 1) {
      const context = await newContext(browser);
      const page = await context.newPage();
      await page.goto(link);
      const found = page.locator('button, input[type=submit], a[href]');
      buttons = await found.count();
      if (buttons > 0) await found.nth(button).click();
      await page.waitForLoadState();
      expect(page.url()).not.to.contain('code=');
      names.push(...(await context.cookies()).map(({ name }) => name));
      await context.close();
    }
    return names;
  };

  const start = async (): Promise<{
    context: BrowserContext;
    page: Awaited<ReturnType<BrowserContext['newPage']>>;
  }> => {
    const context = await newContext(browser, { javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(authorizeUrl(lk.baseUrl, appId, { redirect_uri: `${lk.baseUrl}/healthz` }));
    return { context, page };
  };

  it('takes nothing from the person whose sign-in link it opens, and gets no session', async () => {
    const { email } = await makeUser(lk, appId);
    const { context, page } = await start();
    await page.fill('[name=email]', email);
    await page.click('button[formaction$="/magic-link"]');
    const link = await linkTo(lk, email);
    const left = await scan(link);
    expect(left.some((name) => /lk_(ses|dev)/.test(name))).to.equal(false);
    await page.goto(link);
    await page.click('button.primary');
    expect(page.url()).to.contain('code=');
    await context.close();
  });

  it('#40 does not finish a sign-in that somebody else began with the address', async () => {
    const { email } = await makeUser(lk, appId);
    const { context, page } = await start();
    await page.fill('[name=email]', email);
    await page.click('button[formaction$="/magic-link"]');
    await scan(await linkTo(lk, email));
    await page.goto(authorizeUrl(lk.baseUrl, appId, { redirect_uri: `${lk.baseUrl}/healthz` }));
    expect(page.url()).not.to.contain('code=');
    await context.close();
  });

  it('makes no account of a sign-up whose link it opens', async () => {
    const email = freshEmail();
    const { context, page } = await start();
    await page.click('a[href$="/sign-up"]');
    await page.fill('[name=email]', email);
    await page.fill('[name=password]', PASSWORD);
    await page.click('button.primary');
    const link = await linkTo(lk, email);
    await scan(link);
    expect((await lk.admin('GET', `/apps/${appId}/users?email=${email}`)).body.items).to.have.length(0);
    await page.goto(link);
    await page.click('button.primary');
    expect(page.url()).to.contain('code=');
    await context.close();
  });
});
