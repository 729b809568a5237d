import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type Driver, drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
import { issuerOf } from '../support/sign-in.ts';
import type { LibraryName } from './oidc-libraries.ts';
import {
  askForLink,
  askSilently,
  goToSignIn,
  makeUser,
  newestLink,
  PASSWORD,
  press,
  sessionCookies,
  signedInAt,
  signInByPassword,
  signOut,
  typePassword,
} from './person.ts';
import { type IssuerKind, RelyingParty } from './relying-party.ts';

type Combination = { library: LibraryName; kind: IssuerKind; javaScript: boolean };

const combinations: Record<Driver, Combination[]> = {
  postgres: [
    { library: 'openid-client', kind: 'own', javaScript: true },
    { library: 'openid-client', kind: 'shared', javaScript: true },
    { library: 'oauth4webapi', kind: 'own', javaScript: true },
  ],
  redis: [
    { library: 'openid-client', kind: 'own', javaScript: true },
    { library: 'openid-client', kind: 'shared', javaScript: true },
    { library: 'oauth4webapi', kind: 'shared', javaScript: false },
  ],
};

for (const driver of drivers) {
  describe(`a relying party and a real browser, on ${driver}`, function () {
    this.timeout(180_000);
    let latchkey: TestLatchkey;
    let browser: Browser;
    before(async () => {
      [latchkey, browser] = await Promise.all([startTestLatchkey({ driver }), launchBrowser()]);
    });
    after(() => Promise.all([browser?.close(), latchkey?.stop()]));

    for (const combination of combinations[driver]) flows(() => ({ latchkey, browser }), combination);
  });
}

function flows(
  started: () => { latchkey: TestLatchkey; browser: Browser },
  { library, kind, javaScript }: Combination,
): void {
  describe(`with ${library} at the ${kind} issuer, JavaScript ${javaScript ? 'on' : 'off'}`, () => {
    const appId = `shop-${library === 'oauth4webapi' ? 'web' : 'node'}-${kind}`;
    const chosen = { with: library };
    let latchkey: TestLatchkey;
    let party: RelyingParty;
    let context: BrowserContext;
    let page: Page;

    before(async () => {
      latchkey = started().latchkey;
      party = await RelyingParty.start(latchkey, appId);
    });
    after(() => party?.stop());
    beforeEach(async () => {
      context = await newContext(started().browser, { javaScriptEnabled: javaScript });
      page = await context.newPage();
    });
    afterEach(() => context.close());

    it('signs a newcomer up and in: the mailed link, opened in the same browser, leads back to the app', async () => {
      const email = `new@${appId}.example`;
      await goToSignIn(page, party, kind, chosen);
      await press(page, 'Create an account');
      await page.fill('input[name=email]', email);
      await page.fill('input[name=password]', PASSWORD);
      await press(page, 'Create account');
      expect(await page.textContent('h1')).to.equal('Check your e-mail');
      expect(await sessionCookies(context), 'signed in before the mail').to.deep.equal([]);
      await page.goto(await newestLink(latchkey, email));
      await press(page, 'Confirm and sign in');
      const { tokens, library: client } = await signedInAt(page, party);
      expect(await client.userinfo(tokens)).to.include({
        sub: tokens.claims['sub'],
        email,
        email_verified: true,
      });
      const { body } = await latchkey.admin('GET', `/apps/${appId}/users?email=${encodeURIComponent(email)}`);
      expect(body.items.map((user: { user_id: string }) => user.user_id)).to.deep.equal([
        tokens.claims['sub'],
      ]);
    });

    it('signs in by password, after a wrong one too', async () => {
      const email = `ada@${appId}.example`;
      const userId = await makeUser(latchkey, appId, email);
      await goToSignIn(page, party, kind, chosen);
      await typePassword(page, email, 'not the password at all');
      expect(await page.textContent('[role=alert]')).to.contain('do not go together');
      expect(await page.inputValue('input[name=email]')).to.equal(email);
      await typePassword(page, email);
      const { tokens } = await signedInAt(page, party);
      expect(tokens.claims).to.include({
        iss: issuerOf(latchkey, appId, kind),
        aud: appId,
        sub: userId,
        app_id: appId,
      });
      expect(tokens.claims['amr']).to.deep.equal(['pwd']);
      expect(await sessionCookies(context)).to.deep.equal([`lk_ses.${appId}`]);
    });

    it('signs in by a mailed link in the browser that asked, with one button', async () => {
      const email = `grace@${appId}.example`;
      const userId = await makeUser(latchkey, appId, email);
      await goToSignIn(page, party, kind, chosen);
      await askForLink(page, email);
      await page.goto(await newestLink(latchkey, email));
      expect(await sessionCookies(context), 'signed in by opening').to.deep.equal([]);
      await press(page, 'Sign in');
      const { tokens } = await signedInAt(page, party);
      expect(tokens.claims).to.include({ sub: userId });
      expect(tokens.claims['amr']).to.deep.equal(['email']);
    });

    it('refreshes, and what came asks userinfo as the same person', async () => {
      const email = `joan@${appId}.example`;
      const userId = await makeUser(latchkey, appId, email);
      await goToSignIn(page, party, kind, chosen);
      await typePassword(page, email);
      const { tokens, library: client } = await signedInAt(page, party);
      const second = await client.refresh(tokens);
      const third = await client.refresh(second);
      expect(new Set([tokens, second, third].map((one) => one.refreshToken)).size).to.equal(3);
      expect(new Set([tokens, second, third].map((one) => one.accessToken)).size).to.equal(3);
      expect(third.claims['sub']).to.equal(userId);
      expect(await client.userinfo(third)).to.include({ sub: userId, email, name: 'Ada Lovelace' });
    });

    it('signs out after asking, ends the session and its refresh token, and leads back to the app', async () => {
      const email = `mary@${appId}.example`;
      const userId = await makeUser(latchkey, appId, email);
      const visit = await signInByPassword(page, party, kind, email);
      expect(await askSilently(page, party, kind)).to.equal(userId);
      await page.goto(visit.library.signOutUrl(visit.tokens, party.signedOutUrl).href);
      expect(await page.textContent('h1')).to.contain('Sign out of');
      expect(await page.textContent('main')).to.contain(email);
      await press(page, 'Stay signed in');
      expect(await askSilently(page, party, kind), 'after staying').to.equal(userId);
      visit.tokens = await visit.library.refresh(visit.tokens);
      await signOut(page, party, visit);
      expect(await askSilently(page, party, kind)).to.equal('login_required');
      await visit.library.refresh(visit.tokens).then(
        () => expect.fail('the refresh token outlived its session'),
        (error: { error?: string }) => expect(error.error).to.equal('invalid_grant'),
      );
      await goToSignIn(page, party, kind, chosen);
      await page.goto(visit.library.signOutUrl(visit.tokens, party.signedOutUrl).href);
      expect(page.url(), 'nobody is signed in, so nobody is asked').to.match(
        new RegExp(`^${party.signedOutUrl}`),
      );
    });

    it('stays or signs out without an app to go back to, and says which', async () => {
      const email = `hedy@${appId}.example`;
      const userId = await makeUser(latchkey, appId, email);
      await signInByPassword(page, party, kind, email);
      const url = `${issuerOf(latchkey, appId, kind)}/logout?client_id=${appId}`;
      await page.goto(url);
      await press(page, 'Stay signed in');
      expect(await page.textContent('h1')).to.equal('You are still signed in');
      expect(await askSilently(page, party, kind)).to.equal(userId);
      await page.goto(url);
      await press(page, 'Sign out');
      expect(await page.textContent('h1')).to.equal('You are signed out');
      expect(await askSilently(page, party, kind)).to.equal('login_required');
    });
  });
}
