import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext, within } from '../support/browser.ts';
import { discoverAt, giveDomain, NameServers } from '../support/domain.ts';
import { authorizationRequest, issuerOf, makeApp, redeem, type TestClient } from '../support/sign-in.ts';
import { startTlsProxy } from '../support/tls-proxy.ts';
import { makeUser, press, typePassword } from './person.ts';

const DOMAIN = 'id.shop.example';
const HOME = `https://${DOMAIN}`;
const EMAIL = 'ada@example.com';
const RELATED = 'https://tickets.example';
const INTERNAL = {
  protocol: 'ctap2',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;
/** The origin that the browser answered for, or why it did not. */
const ASK_FOR_PASSKEY = `navigator.credentials
  .get({ publicKey: { challenge: new Uint8Array(32), rpId: '${DOMAIN}', userVerification: 'required' } })
  .then(({ response }) => JSON.parse(new TextDecoder().decode(response.clientDataJSON)).origin, ({ name }) => name)`;

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
    site = createServer((_request, response) => response.end('<!doctype html><title>Shop</title>'));
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    callback = `http://localhost:${(site.address() as AddressInfo).port}/callback`;
    shop = await makeApp(latchkey, 'shop', { redirect_uris: [callback] });
    userId = await makeUser(latchkey, 'shop', EMAIL);
    // Served at both, so that the browser is refused at neither for another reason than that it is not signed in.
    await giveDomain(latchkey, names, { appId: 'shop', domain: DOMAIN, oldIssuers: 'sign_in' });
  });
  beforeEach(async () => {
    browser = await launchBrowser([`MAP ${DOMAIN}:443 ${proxy.address}`]);
    context = await newContext(browser, { ignoreHTTPSErrors: true });
    page = await context.newPage();
  });
  afterEach(() => within('close', browser.close()));
  after(async () => {
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

  it('#61 has passkeys for its domain, which origins named there may use, and others may not', async function () {
    // Once in a hundred and fifty runs Chromium with an authenticator stops answering for good: it has a second try.
    this.retries(1);
    const device = await context.newCDPSession(page);
    await within('WebAuthn.enable', device.send('WebAuthn.enable'));
    const { authenticatorId } = await within(
      'an authenticator',
      device.send('WebAuthn.addVirtualAuthenticator', { options: INTERNAL }),
    );
    const madeFor = async (): Promise<string[]> => {
      const { credentials } = await within(
        'what the authenticator has',
        device.send('WebAuthn.getCredentials', { authenticatorId }),
      );
      return credentials.map(({ rpId }) => String(rpId)).toSorted();
    };
    /** As a script of that site would ask for the app's passkey; its pages are made up here. */
    const askedAt = async (origin: string): Promise<string> => {
      await page.route(`${origin}/`, (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Another site</title>' }),
      );
      await page.goto(`${origin}/`);
      return within(`a passkey at ${origin}`, page.evaluate(ASK_FOR_PASSKEY)) as Promise<string>;
    };

    const change = async (settings: object) =>
      expect((await latchkey.admin('PATCH', '/apps/shop', { settings })).status).to.equal(200);
    await change({ passkey_related_origins: [], passkey_rp_id: null });
    await page.goto(`${HOME}/auth/shop/account/passkeys/new`);
    await typePassword(page, EMAIL);
    await press(page, 'Create passkey');
    expect(await madeFor()).to.deep.equal([DOMAIN]);
    expect(await askedAt(RELATED)).to.equal('SecurityError');
    await change({ passkey_related_origins: [RELATED] });
    expect(await askedAt(RELATED)).to.equal(RELATED);
    expect(await askedAt('https://stranger.example')).to.equal('SecurityError');

    // For all of the company's hosts from now on: the one before is of no use here, and a new one can be made.
    await change({ passkey_rp_id: 'shop.example' });
    await page.goto(`${HOME}/auth/shop/account/passkeys/new`);
    await press(page, 'Create passkey');
    expect(await madeFor()).to.deep.equal([DOMAIN, 'shop.example']);
    await context.clearCookies();
    await page.goto(`${HOME}/auth/shop/account/passkeys`, { waitUntil: 'commit' });
    // It may answer by autofill, and go on, before the page has loaded.
    await page.waitForURL(`${HOME}/auth/shop/account/passkeys`);
    await page.getByText(`Made at ${DOMAIN}; it does not work here.`).first().waitFor();
  });
});
