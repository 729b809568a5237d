import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
import { discoverAt, giveDomain, NameServers } from '../support/domain.ts';
import { authorizationRequest, issuerOf, makeApp, redeem, type TestClient } from '../support/sign-in.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';
import { makeUser, press, typePassword } from './person.ts';

const DOMAIN = 'id.shop.example';
const HOME = `https://${DOMAIN}`;
const EMAIL = 'ada@example.com';

describe('an app at its own domain, in a browser over TLS', function () {
  this.timeout(120_000);
  const names = new NameServers();
  let latchkey: TestLatchkey;
  let proxy: { address: string; stop(): Promise<void> };
  let site: Server;
  let callback: string;
  let shop: TestClient;
  let userId: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  before(async () => {
    latchkey = await startTestLatchkey({ resolveTxt: names.resolveTxt });
    proxy = await startTlsProxy(latchkey.baseUrl);
    browser = await launchBrowser([`MAP ${DOMAIN}:443 ${proxy.address}`]);
    site = createServer((_request, response) => response.end('<!doctype html><title>Shop</title>'));
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    callback = `http://localhost:${(site.address() as AddressInfo).port}/callback`;
    shop = await makeApp(latchkey, 'shop', { redirect_uris: [callback] });
    userId = await makeUser(latchkey, 'shop', EMAIL);
    // Served at both, so that the browser is refused at neither for another reason than that it is not signed in.
    await giveDomain(latchkey, names, { appId: 'shop', domain: DOMAIN, oldIssuers: 'sign_in' });
    context = await newContext(browser, { ignoreHTTPSErrors: true });
    page = await context.newPage();
  });
  after(async () => {
    await browser?.close();
    await proxy?.stop();
    site?.closeAllConnections();
    site?.close();
    await latchkey?.stop();
  });

  it('#34 signs in, sees its account and signs out there, with cookies that go nowhere else', async () => {
    const configuration = await discoverAt(latchkey, shop, HOME);
    const request = await authorizationRequest(configuration, { redirect_uri: callback });
    await page.goto(request.url.href);
    expect(page.url()).to.include(`${HOME}/auth/shop/interaction/`);
    await typePassword(page, EMAIL);
    expect(page.url()).to.include(`${callback}?`);
    const tokens = await redeem(configuration, request, page.url());
    expect(tokens.claims()).to.include({ iss: HOME, sub: userId });

    const cookies = (await context.cookies()).filter(({ name }) => name.includes('lk_'));
    expect(cookies.map(({ name }) => name)).to.include.members([
      '__Host-lk_ses.shop',
      '__Host-lk_ses.shop.sig',
    ]);
    for (const cookie of cookies)
      expect(cookie, cookie.name).to.include({
        domain: DOMAIN,
        secure: true,
        httpOnly: true,
        sameSite: 'Lax',
      });

    const account = `${HOME}/auth/shop/account/sessions`;
    await page.goto(account);
    expect(page.url(), 'signed in already').to.equal(account);
    expect(await page.getByText('This browser').count()).to.equal(1);
    expect(await page.evaluate('document.cookie')).to.equal('');
    await press(page, 'Applications');
    expect(page.url()).to.equal(`${HOME}/auth/shop/account/apps`);

    await page.goto(`${issuerOf(latchkey, 'shop', 'own')}/account/sessions`);
    expect(page.url(), 'not signed in at BASE_URL').to.include(`${latchkey.baseUrl}/auth/shop/interaction/`);

    await page.goto(account);
    await press(page, 'Sign out');
    expect(page.url()).to.equal(`${HOME}/logout`);
    await press(page, 'Sign out');
    expect(page.url()).to.include(`${HOME}/logout/success`);
    const left = (await context.cookies(HOME)).map(({ name }) => name);
    expect(left.filter((name) => name.includes('lk_ses'))).to.deep.equal([]);
    await page.goto(account);
    expect(page.url()).to.include(`${HOME}/auth/shop/interaction/`);
  });
});
