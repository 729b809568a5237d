import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
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
} from './person.ts';
import { RelyingParty } from './relying-party.ts';
import { scan } from './scanner.ts';

describe('links in mails that something else opens first', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let browser: Browser;
  let party: RelyingParty;
  const open: BrowserContext[] = [];

  before(async () => {
    [latchkey, browser] = await Promise.all([startTestLatchkey({ driver: 'redis' }), launchBrowser()]);
    party = await RelyingParty.start(latchkey, 'shop');
  });
  after(async () => {
    await Promise.all([browser?.close(), party?.stop()]);
    await latchkey?.stop();
  });
  afterEach(() => Promise.all(open.splice(0).map((context) => context.close())));

  /** Somebody's browser, with nothing of anybody else's in it. */
  const newBrowser = async (): Promise<Page> => {
    const context = await newContext(browser);
    open.push(context);
    return context.newPage();
  };
  const asked = async (
    email: string,
    parameters: Record<string, string> = {},
    page?: Page,
  ): Promise<Page> => {
    const asking = page ?? (await newBrowser());
    await goToSignIn(asking, party, 'own', parameters);
    await askForLink(asking, email);
    return asking;
  };

  it('sign the person in all the same: a scanner that runs scripts and presses every button spends nothing', async () => {
    const email = 'ada@example.com';
    const userId = await makeUser(latchkey, 'shop', email);
    const page = await asked(email);
    const link = await newestLink(latchkey, email);
    const { pressed, sessions } = await scan(browser, link);
    expect(pressed, 'the scanner pressed nothing').to.include('It was not me: refuse and report');
    expect(sessions).to.deep.equal([]);
    expect(await sessionCookies(page.context()), 'the browser that asked').to.deep.equal([]);
    await page.goto(link);
    await press(page, 'Sign in');
    expect((await signedInAt(page, party)).tokens.claims['sub']).to.equal(userId);
  });

  it('#40 complete no sign-in that somebody else began for the same address', async () => {
    const email = 'grace@example.com';
    const userId = await makeUser(latchkey, 'shop', email);
    const person = await newBrowser();
    await signInByPassword(person, party, 'own', email);
    await asked(email, { prompt: 'login' }, person);
    const own = await newestLink(latchkey, email);
    const attacker = await asked(email);
    const attackers = await newestLink(latchkey, email, 2);
    for (const link of [own, attackers]) expect((await scan(browser, link)).sessions).to.deep.equal([]);

    expect(await attacker.textContent('h1')).to.equal('Check your e-mail');
    await attacker.reload();
    expect(await sessionCookies(attacker.context())).to.deep.equal([]);
    await goToSignIn(attacker, party, 'own');
    expect(await askSilently(attacker, party, 'own')).to.equal('login_required');

    await person.goto(own);
    await press(person, 'Sign in');
    expect((await signedInAt(person, party)).tokens.claims['sub']).to.equal(userId);
    expect(await askSilently(attacker, party, 'own')).to.equal('login_required');
  });

  it('#40 show the person a code, never a button that signs in, when they open what an attacker asked for', async () => {
    const email = 'mary@example.com';
    await makeUser(latchkey, 'shop', email);
    const attacker = await asked(email);
    const link = await newestLink(latchkey, email);
    const person = await newBrowser();
    await person.goto(link);
    const code = (await person.locator('data.digits').getAttribute('value'))!;
    expect(await person.locator('button').allInnerTexts()).to.deep.equal([
      'It was not me: refuse and report',
    ]);
    await press(person, 'It was not me: refuse and report');
    expect(await person.textContent('h1')).to.equal('Refused and reported');
    expect(await sessionCookies(person.context())).to.deep.equal([]);
    await attacker.fill('input[name=code]', code);
    await press(attacker, 'Sign in with the code');
    expect(await attacker.textContent('[role=alert]')).to.be.a('string');
    expect(await sessionCookies(attacker.context())).to.deep.equal([]);
    const events = await latchkey.sql(
      `select type from audit_events where type = 'magic_link.reported' and details is not null`,
    );
    expect(events).to.have.length.greaterThan(0);
  });

  it('give another browser six digits that sign in where it began, and nowhere else', async () => {
    const email = 'joan@example.com';
    const userId = await makeUser(latchkey, 'shop', email);
    const computer = await asked(email);
    const phone = await newBrowser();
    await phone.goto(await newestLink(latchkey, email));
    const code = (await phone.locator('data.digits').getAttribute('value'))!;
    expect(code).to.match(/^\d{6}$/);
    expect(await phone.textContent('main'))
      .to.contain('Never read this code to anyone')
      .and.contain('The shop app');
    await computer.fill('input[name=code]', `${code.slice(0, 3)} ${code.slice(3)}`);
    await press(computer, 'Sign in with the code');
    expect((await signedInAt(computer, party)).tokens.claims['sub']).to.equal(userId);
    expect(await sessionCookies(phone.context())).to.deep.equal([]);
    expect(await askSilently(phone, party, 'own')).to.equal('login_required');
  });

  it('make an account at the click of the person who signs up, not at that of a scanner', async () => {
    const email = 'new@example.com';
    const page = await newBrowser();
    await goToSignIn(page, party, 'shared');
    await press(page, 'Create an account');
    await page.fill('input[name=email]', email);
    await page.fill('input[name=password]', PASSWORD);
    await press(page, 'Create account');
    const link = await newestLink(latchkey, email);
    expect((await scan(browser, link)).sessions).to.deep.equal([]);
    const { body } = await latchkey.admin('GET', `/apps/shop/users?email=${encodeURIComponent(email)}`);
    expect(body.items).to.deep.equal([]);
    await page.goto(link);
    await press(page, 'Confirm and sign in');
    await signedInAt(page, party);
  });

  it('let the person choose a new password after a scanner has been there', async () => {
    const email = 'hedy@example.com';
    const userId = await makeUser(latchkey, 'shop', email);
    const page = await newBrowser();
    await goToSignIn(page, party, 'own');
    await press(page, 'Forgot your password?');
    await page.fill('input[name=email]', email);
    await press(page, 'Send me the link');
    const link = await newestLink(latchkey, email);
    expect((await scan(browser, link)).sessions).to.deep.equal([]);
    await page.goto(link);
    await page.fill('input[name=new_password]', 'nine patient otters waiting');
    await press(page, 'Save the new password');
    expect((await signedInAt(page, party)).tokens.claims['sub']).to.equal(userId);
  });
});
