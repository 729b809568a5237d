import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
import { faultsOf, type Look, LOOKS, weigh } from './look.ts';
import {
  askForLink,
  goToSignIn,
  howMany,
  makeUser,
  newestLink,
  PASSWORD,
  press,
  signedInAt,
  signInByPassword,
  typePassword,
} from './person.ts';
import { RelyingParty } from './relying-party.ts';

const MAX_BYTES = 60_000;
/** For people who build, not for people who sign in; it grows with every operation. */
const MAY_BE_HEAVY = new Set(['api-docs']);

type Tour = {
  latchkey: TestLatchkey;
  shop: RelyingParty;
  strict: RelyingParty;
  see(page: Page, name: string): Promise<void>;
  visitor(): Promise<Page>;
  mark: string;
};

describe('every page', function () {
  this.timeout(180_000);
  let browser: Browser;
  let party: Pick<Tour, 'latchkey' | 'shop' | 'strict'>;

  before(async () => {
    const [latchkey, launched] = await Promise.all([startTestLatchkey(), launchBrowser()]);
    browser = launched;
    const shop = await RelyingParty.start(latchkey, 'shop', {
      name: 'Corner Shop',
      settings: { accent_color: '#0e6b56' },
    });
    const settings = {
      consent: 'always',
      accent_color: '#7a3fc4',
      privacy_url: 'https://example.com/privacy',
      terms_url: 'https://example.com/terms',
    };
    const strict = await RelyingParty.start(latchkey, 'ledger', { name: 'Ledger & Sons', settings });
    party = { latchkey, shop, strict };
  });
  after(async () => {
    await Promise.all([browser?.close(), party?.shop.stop(), party?.strict.stop()]);
    await party?.latchkey.stop();
  });

  for (const javaScript of [true, false]) {
    describe(`in a browser ${javaScript ? 'with' : 'without'} JavaScript`, () => {
      let tour: Tour;
      const open: BrowserContext[] = [];
      const faults: string[] = [];
      const looks: readonly Look[] = javaScript ? LOOKS : [{ device: 'phone', scheme: 'light', axe: false }];
      const mark = javaScript ? '' : 'plain-';

      before(() => {
        tour = { ...party, see, visitor, mark: javaScript ? 'js' : 'plain' };
      });
      afterEach(async () => {
        await Promise.all(open.splice(0).map((context) => context.close()));
        expect(faults.splice(0)).to.deep.equal([]);
      });

      async function visitor(): Promise<Page> {
        const context = await newContext(browser, { javaScriptEnabled: javaScript, reducedMotion: 'reduce' });
        open.push(context);
        const page = await context.newPage();
        page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
        page.on('console', (message) => {
          // A page with status 400 is one that says what was wrong.
          if (
            message.type() === 'error' &&
            !message.text().includes('the server responded with a status of 4')
          )
            faults.push(`${page.url()}: ${message.text()}`);
        });
        return page;
      }

      async function see(page: Page, name: string): Promise<void> {
        faults.push(...(await faultsOf(page, mark + name, looks)));
        const { bytes, foreign } = await weigh(page, tour.latchkey.baseUrl);
        if (bytes > MAX_BYTES && !MAY_BE_HEAVY.has(name)) faults.push(`${name} weighs ${bytes} bytes`);
        faults.push(...foreign.map((url) => `${name} loads ${url}`));
      }

      it('holds when signing in: first try, wrong password, expired, a request that is refused', () =>
        signingIn(tour));
      it('holds when signing up: form, mail sent, another browser, confirmation, too late', () =>
        signingUp(tour));
      it('holds when a password is forgotten: request, mail sent, new password, done', () =>
        recovering(tour));
      it('holds when a link is mailed: sent, wrong code, another browser, refused, confirmation, dead', () =>
        mailedLink(tour));
      it('holds where consent is asked for, and when an invitation is accepted', () => consenting(tour));
      it('holds when signing out: question, stayed, signed out, the list of apps', () => signingOut(tour));
      // These have no form of theirs that a person without scripts has to get through, or are for people who build.
      if (!javaScript) return;
      it('holds at the front door: landing, nothing there, unknown app, API documentation', () =>
        frontDoor(tour));
      it('holds for people who build: inbox and playground', () => developing(tour));
    });
  }
});

async function signingIn({ latchkey, shop, see, visitor, mark }: Tour): Promise<void> {
  const page = await visitor();
  await makeUser(latchkey, 'shop', `ada-${mark}@example.com`);
  await goToSignIn(page, shop, 'shared');
  await see(page, 'sign-in');
  await typePassword(page, `ada-${mark}@example.com`, 'not the password at all');
  await see(page, 'sign-in-wrong');
  const stranger = await visitor();
  await stranger.goto(page.url().replace(/\/password$/, ''));
  await see(stranger, 'expired');
  await stranger.goto(
    `${latchkey.baseUrl}/authorize?client_id=shop&response_type=code&redirect_uri=https://evil.example/`,
  );
  await see(stranger, 'problem');
}

async function signingUp({ latchkey, shop, see, visitor, mark }: Tour): Promise<void> {
  const email = `new-${mark}@example.com`;
  const page = await visitor();
  await goToSignIn(page, shop, 'own');
  const interaction = page.url();
  await press(page, 'Create an account');
  await see(page, 'sign-up');
  await page.fill('input[name=email]', email);
  // Long enough, and known to every guesser.
  await page.fill('input[name=password]', 'passwordpassword');
  await press(page, 'Create account');
  await see(page, 'sign-up-weak');
  if (mark === 'js') {
    for (const [typed, met] of [
      ['short', false],
      [PASSWORD, true],
    ] as const) {
      await page.fill('input[name=password]', typed);
      expect(await howMany(page.locator('.reach.met')), typed).to.equal(Number(met));
    }
    await see(page, 'sign-up-typed');
  }
  await page.fill('input[name=password]', PASSWORD);
  await press(page, 'Create account');
  await see(page, 'sign-up-sent');
  const link = await newestLink(latchkey, email);
  const phone = await visitor();
  await phone.goto(link);
  await see(phone, 'sign-up-other-browser');
  await page.goto(link);
  await see(page, 'sign-up-confirm');

  await page.goto(interaction);
  await makeUser(latchkey, 'shop', `in-time-${mark}@example.com`);
  await typePassword(page, `in-time-${mark}@example.com`);
  await signedInAt(page, shop);
  await phone.goto(link);
  await see(phone, 'sign-up-late');
  await phone.fill('input[name=password]', PASSWORD);
  await press(phone, 'Confirm and sign in');
  await see(phone, 'sign-up-done');
}

async function recovering({ latchkey, shop, see, visitor, mark }: Tour): Promise<void> {
  const email = `forgetful-${mark}@example.com`;
  await makeUser(latchkey, 'shop', email);
  const page = await visitor();
  await goToSignIn(page, shop, 'own');
  await press(page, 'Forgot your password?');
  await see(page, 'forgot');
  await page.fill('input[name=email]', email);
  await press(page, 'Send me the link');
  await see(page, 'forgot-sent');
  const elsewhere = await visitor();
  await elsewhere.goto(await newestLink(latchkey, email));
  await see(elsewhere, 'reset');
  await elsewhere.fill('input[name=new_password]', 'eleven brisk otters at dawn');
  await press(elsewhere, 'Save the new password');
  await see(elsewhere, 'reset-done');
}

async function mailedLink({ latchkey, shop, see, visitor, mark }: Tour): Promise<void> {
  const email = `link-${mark}@example.com`;
  await makeUser(latchkey, 'shop', email);
  const page = await visitor();
  await goToSignIn(page, shop, 'own');
  await askForLink(page, email);
  await see(page, 'link-sent');
  await page.fill('input[name=code]', '000000');
  await press(page, 'Sign in with the code');
  await see(page, 'link-sent-wrong-code');
  const link = await newestLink(latchkey, email);
  const phone = await visitor();
  await phone.goto(link);
  await see(phone, 'link-other-browser');
  await press(phone, 'It was not me: refuse and report');
  await see(phone, 'link-refused');
  await page.goto(link);
  await see(page, 'link-confirm');
  await press(page, 'Sign in');
  await signedInAt(page, shop);
  await phone.goto(link);
  await see(phone, 'link-dead');
}

async function consenting({ latchkey, strict, see, visitor, mark }: Tour): Promise<void> {
  const email = `careful-${mark}@example.com`;
  await makeUser(latchkey, 'ledger', email);
  const page = await visitor();
  await goToSignIn(page, strict, 'shared');
  await see(page, 'sign-in-other-colour');
  await typePassword(page, email);
  await see(page, 'consent');
  await press(page, 'Allow');
  await signedInAt(page, strict);

  const guest = `guest-${mark}@example.com`;
  const invited = await latchkey.admin('POST', '/apps/ledger/users', { email: guest, send_invitation: true });
  expect(invited.status).to.equal(201);
  await page.goto(await newestLink(latchkey, guest));
  await see(page, 'invitation');
  await page.fill('input[name=new_password]', PASSWORD);
  await press(page, 'Set up my account');
  await see(page, 'invitation-done');
}

async function signingOut({ latchkey, shop, strict, see, visitor, mark }: Tour): Promise<void> {
  const page = await visitor();
  const email = `leaver-${mark}@example.com`;
  await Promise.all(['shop', 'ledger'].map((appId) => makeUser(latchkey, appId, email)));
  await page.goto(`${latchkey.baseUrl}/logout`);
  await see(page, 'sign-out-list-empty');
  await signInByPassword(page, shop, 'shared', email);
  await goToSignIn(page, strict, 'own');
  await typePassword(page, email);
  await press(page, 'Allow');
  await page.goto(`${latchkey.baseUrl}/logout`);
  await see(page, 'sign-out-list');
  await press(page, 'Sign out of Corner Shop');
  await see(page, 'sign-out');
  await press(page, 'Stay signed in');
  await see(page, 'sign-out-stayed');
  await page.goto(`${latchkey.baseUrl}/auth/ledger/logout`);
  await press(page, 'Sign out');
  await see(page, 'signed-out');
}

async function frontDoor({ latchkey, see, visitor }: Tour): Promise<void> {
  const page = await visitor();
  const pages = {
    landing: '/',
    'not-found': '/nothing/here',
    'unknown-app': '/auth/nobody/authorize?client_id=nobody',
    'api-docs': '/api/docs',
  };
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(latchkey.baseUrl + path);
    await see(page, name);
  }
}

async function developing({ latchkey, see, visitor, mark }: Tour): Promise<void> {
  const page = await visitor();
  const email = `builder-${mark}@example.com`;
  await makeUser(latchkey, 'demo', email);
  await page.goto(`${latchkey.baseUrl}/dev/inbox`);
  await see(page, 'inbox');
  await page.goto(`${latchkey.baseUrl}/dev/playground`);
  await see(page, 'playground');
  await press(page, 'Sign in');
  await see(page, 'sign-in-demo');
  await typePassword(page, email);
  await see(page, 'playground-tokens');
  for (const action of ['Refresh', 'Introspect', 'Userinfo']) await press(page, action);
  expect(await page.textContent('main')).to.contain(email);
  await see(page, 'playground-userinfo');
  await press(page, 'Sign out');
  await press(page, 'Sign out');
  expect(page.url()).to.match(/\/dev\/playground$/);
}
