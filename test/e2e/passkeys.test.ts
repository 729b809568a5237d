import { expect } from 'chai';
import { type Browser, type BrowserContext, type CDPSession, devices, type Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, within } from '../support/browser.ts';
import { faultsOf, LOOKS } from './look.ts';
import {
  goToSignIn,
  howMany,
  makeUser,
  newestLink,
  PASSWORD,
  press,
  signedInAt,
  typePassword,
} from './person.ts';
import { RelyingParty } from './relying-party.ts';

const PROFILES = { 'a desktop': {}, 'a phone': devices['Pixel 7'] };
const INTERNAL = {
  protocol: 'ctap2',
  ctap2Version: 'ctap2_1',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;

/** Autofill answers by itself as soon as the page asks, so that pages with a button to press have to do without. */
const NO_AUTOFILL = 'PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false)';

for (const [profile, options] of Object.entries(PROFILES)) {
  describe(`passkeys on ${profile}`, function () {
    this.timeout(180_000);
    // Once in a hundred and fifty runs Chromium stopped answering for good. The reporter names whoever needed a second browser.
    this.retries(1);
    let latchkey: TestLatchkey;
    let browser: Browser;
    let shop: RelyingParty;
    let ledger: RelyingParty;
    let context: BrowserContext;
    let page: Page;
    let device: CDPSession;
    let authenticatorId: string;
    let email: string;
    let people = 0;
    const faults: string[] = [];

    before(async () => {
      latchkey = await startTestLatchkey();
      shop = await RelyingParty.start(latchkey, 'shop', { name: 'Corner Shop' });
      ledger = await RelyingParty.start(latchkey, 'ledger', { name: 'Ledger & Sons' });
    });
    after(async () => {
      await Promise.all([shop?.stop(), ledger?.stop()]);
      await latchkey?.stop();
    });
    beforeEach(async () => {
      email = `ada-${(people += 1)}@example.com`;
      await Promise.all(['shop', 'ledger'].map((appId) => makeUser(latchkey, appId, email)));
      browser = await launchBrowser();
      context = await browser.newContext(options);
      context.setDefaultTimeout(30_000);
      page = await context.newPage();
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => {
        if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
      });
      device = await context.newCDPSession(page);
      await tell('WebAuthn.enable');
      ({ authenticatorId } = await tell('WebAuthn.addVirtualAuthenticator', { options: INTERNAL }));
    });
    afterEach(async () => {
      await within('close', browser.close());
      expect(faults.splice(0)).to.deep.equal([]);
    });

    const tell: CDPSession['send'] = (method, parameters) => within(method, device.send(method, parameters));
    /** With the password, and on with a passkey at the page that offers one. */
    async function enrol(party: RelyingParty): Promise<void> {
      await goToSignIn(page, party, 'own');
      await knowsPasskeys();
      await typePassword(page, email);
      await press(page, 'Create passkey');
      await signedInAt(page, party);
    }
    /** Once is enough: each look has a size of its own. */
    async function see(name: string): Promise<void> {
      if (profile === 'a desktop') faults.push(...(await faultsOf(page, name, LOOKS)));
    }
    /** The page has told the server; it does so in its own time. */
    const knowsPasskeys = () => page.waitForFunction("document.cookie.includes('lk_webauthn=1')");
    const forgetSession = () => context.clearCookies({ name: /lk_ses/ });
    const pressPasskey = () => press(page, 'Sign in with a passkey');

    it('are made on the way in and in the account pages, and sign in by autofill', async () => {
      await goToSignIn(page, shop, 'own');
      await knowsPasskeys();
      await typePassword(page, email);
      expect(await page.locator('h1').textContent()).to.equal('Sign in without a password next time?');
      await see('passkey-offer');
      await press(page, 'Create passkey');
      await signedInAt(page, shop);
      const { credentials } = await tell('WebAuthn.getCredentials', { authenticatorId });
      expect(credentials[0]).to.include({ isResidentCredential: true, userName: `${email} · Corner Shop` });

      await forgetSession();
      // It may answer, and go on, before the page has loaded.
      await page.goto(shop.loginUrl('own'), { waitUntil: 'commit' });
      await page.waitForURL(`${shop.origin}/signed-in/**`);
      const { tokens } = await signedInAt(page, shop);
      expect(tokens.claims).to.deep.include({ amr: ['hwk', 'user', 'mfa'], acr: 'urn:latchkey:acr:2fa' });

      await page.goto(`${latchkey.baseUrl}/auth/shop/account/passkeys`);
      await see('passkeys');
      await page.goto(`${latchkey.baseUrl}/auth/shop/account/passkeys/new`);
      await see('passkey-new');
      // This authenticator has one already, and says so without asking the server.
      await page.getByRole('button', { name: 'Create passkey' }).click();
      await page.getByText('This device has a passkey for Corner Shop already.').waitFor();
      await tell('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
      await tell('WebAuthn.addVirtualAuthenticator', { options: INTERNAL });
      await press(page, 'Create passkey');
      expect(await howMany(page.locator('.apps li'))).to.equal(2);
      await page.getByText('Rename', { exact: true }).first().click();
      await page.locator('input[name=name]').first().fill('My other phone');
      await press(page, 'Save');
      expect(await page.textContent('.apps li:first-child strong')).to.equal('My other phone');
      await press(page, 'Remove My other phone');
      expect(await howMany(page.locator('.apps li'))).to.equal(1);
    });

    it('are offered to people who have just signed up, and sign them in from then on', async () => {
      const newcomer = `new-${email}`;
      await page.addInitScript(NO_AUTOFILL);
      await goToSignIn(page, shop, 'own');
      await knowsPasskeys();
      await press(page, 'Create an account');
      await page.fill('input[name=email]', newcomer);
      await page.fill('input[name=password]', PASSWORD);
      await press(page, 'Create account');
      await page.goto(await newestLink(latchkey, newcomer));
      await press(page, 'Confirm and sign in');
      expect(await page.locator('h1').textContent()).to.equal('Sign in without a password next time?');
      await press(page, 'Create passkey');
      const first = await signedInAt(page, shop);
      await forgetSession();
      await goToSignIn(page, shop, 'own');
      await pressPasskey();
      const { tokens } = await signedInAt(page, shop);
      expect(tokens.claims['sub']).to.equal(first.tokens.claims['sub']);
      expect(tokens.claims['acr']).to.equal('urn:latchkey:acr:2fa');
    });

    it('sign in by a button, and not with a bogus signature, without UP or UV, nor from a copy', async () => {
      await page.addInitScript(NO_AUTOFILL);
      await enrol(shop);
      await forgetSession();
      await goToSignIn(page, shop, 'own');
      for (const lie of ['isBogusSignature', 'isBadUV', 'isBadUP'] as const) {
        await tell('WebAuthn.setResponseOverrideBits', { authenticatorId, [lie]: true });
        await pressPasskey();
        expect(await page.textContent('#problem'), lie).to.contain('That passkey does not work here.');
        await tell('WebAuthn.setResponseOverrideBits', { authenticatorId, [lie]: false });
      }
      await see('passkey-refused');
      const { credentials } = await tell('WebAuthn.getCredentials', { authenticatorId });
      await pressPasskey();
      await signedInAt(page, shop);

      // The copy is as old as the moment it was taken.
      await tell('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
      ({ authenticatorId } = await tell('WebAuthn.addVirtualAuthenticator', { options: INTERNAL }));
      await tell('WebAuthn.addCredential', {
        authenticatorId,
        credential: { ...credentials[0]!, signCount: 0 },
      });
      await forgetSession();
      await goToSignIn(page, shop, 'own');
      await pressPasskey();
      expect(await page.textContent('#problem')).to.contain('That passkey does not work here.');
      const { body } = await latchkey.admin('GET', '/apps/shop/audit-events?limit=20');
      expect(body.items.map((event: { type: string }) => event.type)).to.include('passkey.counter_went_back');
    });

    it('of another app on this host are offered by the browser, and refused in words that say so', async () => {
      await page.addInitScript(NO_AUTOFILL);
      await enrol(ledger);
      await goToSignIn(page, shop, 'own');
      await pressPasskey();
      expect(await page.textContent('#problem')).to.contain('choose the one that ends in “Corner Shop”');
      await tell('WebAuthn.clearCredentials', { authenticatorId });
      // Nothing to choose from, and a person who closes the browser's window, end in the same place.
      await tell('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await page.getByText('New on this device? Ask for a sign-in link').waitFor();
      await see('passkey-cancelled');
    });

    it('are the second proof where an app wants two, with recovery codes beside them', async () => {
      await latchkey.admin('PATCH', '/apps/ledger', { settings: { second_factor: 'required' } });
      await page.addInitScript(NO_AUTOFILL);
      await goToSignIn(page, ledger, 'own');
      await typePassword(page, email);
      await press(page, 'Use a passkey instead');
      await see('enrol-passkey');
      await press(page, 'Create passkey');
      await press(page, 'I have kept them: continue');
      await signedInAt(page, ledger);
      await forgetSession();
      await goToSignIn(page, ledger, 'own');
      await typePassword(page, email);
      await see('second-factor-passkey');
      await press(page, 'Use your passkey');
      const { tokens } = await signedInAt(page, ledger);
      expect(tokens.claims['amr']).to.deep.equal(['pwd', 'hwk', 'user', 'mfa']);
      await latchkey.admin('PATCH', '/apps/ledger', { settings: { second_factor: 'optional' } });
    });
  });
}
