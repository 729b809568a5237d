import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { totpCode, wrongCode } from '../support/totp.ts';
import {
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
import { PlainVisitors } from './plain-visitor.ts';
import { RelyingParty } from './relying-party.ts';

const OTHER_PASSWORD = 'eleven brisk otters at dawn';
const CHANGE_LINK = /https?:\/\/\S+\/account\/identifiers\/(?:confirm|undo)\/[A-Za-z0-9_-]+/;

describe('without scripts, in a browser', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let browser: Browser;
  let people: PlainVisitors;
  /** One app that leaves a second factor to its people, and one that requires it after a week. */
  let shop: RelyingParty;
  let vault: RelyingParty;

  before(async () => {
    [latchkey, browser] = await Promise.all([startTestLatchkey(), launchBrowser()]);
    people = new PlainVisitors(browser, latchkey.baseUrl);
    [shop, vault] = await Promise.all([
      RelyingParty.start(latchkey, 'shop', {
        name: 'Corner Shop',
        settings: {
          accent_color: '#0e6b56',
          methods: { email_code: true },
          features: { device_authorization: true },
        },
      }),
      RelyingParty.start(latchkey, 'vault', {
        name: 'Vault & Daughters',
        settings: { accent_color: '#8a2be2', second_factor: 'required', second_factor_grace_days: 7 },
      }),
    ]);
  });
  after(async () => {
    await Promise.all([browser?.close(), shop?.stop(), vault?.stop()]);
    await latchkey?.stop();
  });
  afterEach(async () => {
    await people.leave();
    expect(people.faults.splice(0)).to.deep.equal([]);
  });

  const account = (name: string, appId = 'shop'): string =>
    `${latchkey.baseUrl}/auth/${appId}/account/${name}`;
  const problemOn = (page: Page) => page.textContent('#problem');
  const noteOn = (page: Page) => page.textContent('.note.good');
  const secretOn = async (page: Page) => (await page.textContent('code.raw'))!.replaceAll(' ', '');
  const codesOn = (page: Page) => page.locator('.codes code').allTextContents();
  /** As if the last code of the authenticator app had been used minutes ago. */
  const freshSteps = (userId: string) =>
    latchkey.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);
  const changeLink = async (address: string, subject: string, count = 1): Promise<string> => {
    for (let least = count; ; least += 1) {
      const found = (await latchkey.mailsTo(address, least)).filter((mail) => mail.subject.includes(subject));
      if (found.length >= count) return CHANGE_LINK.exec(found[0]!.text)![0];
    }
  };
  const enter = async (page: Page, email: string): Promise<void> => {
    await page.goto(account('profile'));
    await typePassword(page, email);
    expect(page.url()).to.equal(account('profile'));
  };
  async function typeTotp(page: Page, code: string): Promise<void> {
    await page.fill('input[name=code]', code);
    await press(page, 'Continue');
  }

  it('people sign in by a mailed code, say who they are, and see what they have allowed', async () => {
    const email = 'ada@example.com';
    await makeUser(latchkey, 'shop', email);
    const page = await people.visitor();
    await goToSignIn(page, shop, 'own');
    await people.glance(page, 'sign-in-with-code');
    await page.fill('input[name=email]', email);
    await press(page, 'E-mail me a six-digit code');
    await people.see(page, 'email-code');
    const code = /^(\d{6})$/m.exec((await latchkey.mailsTo(email))[0]!.text)![1]!;
    await page.fill('input[name=code]', String((Number(code) + 1) % 1_000_000).padStart(6, '0'));
    await press(page, 'Sign in');
    expect(await problemOn(page)).to.contain('That code is not right.');
    await people.glance(page, 'email-code-wrong');
    await page.fill('input[name=code]', code);
    await press(page, 'Sign in');
    await signedInAt(page, shop);

    await page.goto(account(''));
    await people.see(page, 'account-profile');
    await page.fill('input[name=nickname]', 'bell\u0007');
    await press(page, 'Save');
    await people.glance(page, 'account-profile-wrong');
    await page.fill('input[name=nickname]', 'Countess');
    await page.selectOption('select[name=zoneinfo]', 'Asia/Tokyo');
    await press(page, 'Save');
    expect(await noteOn(page)).to.contain('Your profile is saved.');
    await people.glance(page, 'account-profile-saved');

    await press(page, 'Passkeys');
    await people.see(page, 'account-passkeys');
    await press(page, 'Add a passkey');
    expect(await page.textContent('noscript')).to.contain('This needs JavaScript');
    await people.glance(page, 'account-passkey-new');
    await press(page, 'Applications');
    await people.see(page, 'account-apps');
    await press(page, 'Take access away from Corner Shop');
    expect(await noteOn(page)).to.contain('Its access has ended.');
    await people.glance(page, 'account-apps-none');
  });

  it('people change their password, end other sessions, read what happened, take their data and go', async () => {
    const email = 'grace@example.com';
    await makeUser(latchkey, 'shop', email);
    const [page, elsewhere] = [await people.visitor(), await people.visitor()];
    await signInByPassword(elsewhere, shop, 'own', email);
    await enter(page, email);
    await press(page, 'Devices');
    await people.see(page, 'account-sessions');
    await page.locator('.apps form button').first().click();
    await page.getByText('That browser is signed out.').waitFor();
    await people.glance(page, 'account-sessions-ended');
    await elsewhere.goto(account('sessions'));
    expect(elsewhere.url()).to.include('/interaction/');

    await press(page, 'Password');
    await people.see(page, 'account-password');
    const change = async (current: string, next: string): Promise<void> => {
      await page.fill('input[name=current_password]', current);
      await page.fill('input[name=new_password]', next);
      await press(page, 'Change password');
    };
    await change('not what it is at all', OTHER_PASSWORD);
    expect(await problemOn(page)).to.contain('That is not your current password');
    await people.glance(page, 'account-password-wrong');
    await change(PASSWORD, 'passwordpassword');
    await people.glance(page, 'account-password-weak');
    await change(PASSWORD, OTHER_PASSWORD);
    expect(await noteOn(page)).to.contain('Your password is changed');
    await press(page, 'Remove the password');
    await people.glance(page, 'account-password-none');

    await press(page, 'Activity');
    await people.see(page, 'account-activity');
    await press(page, 'Your data');
    await people.see(page, 'account-data');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download your data' }).click(),
    ]);
    expect(download.suggestedFilename()).to.equal('shop-account.json');
    await page.fill('input[name=confirm]', 'somebody@example.com');
    await press(page, 'Delete your account');
    expect(await problemOn(page)).to.contain('Nothing was deleted.');
    await people.glance(page, 'account-data-wrong');
    await page.fill('input[name=confirm]', email);
    await press(page, 'Delete your account');
    await people.see(page, 'account-deleted');
  });

  it('people change their address, refuse, confirm and undo it', async () => {
    const [email, next] = ['mary@example.com', 'shelley@example.com'];
    await makeUser(latchkey, 'shop', email);
    const [page, phone] = [await people.visitor(), await people.visitor()];
    await enter(page, email);
    await press(page, 'E-mail');
    await people.see(page, 'account-identifiers');
    const ask = async (address: string): Promise<void> => {
      await page.fill('input[name=email]:not([type=hidden])', address);
      await press(page, 'Send a link to the new address');
    };
    await ask(email);
    await people.glance(page, 'account-identifiers-wrong');
    await ask(next);
    await people.see(page, 'account-identifiers-pending');
    await page.fill('input[name=code]', '000000');
    await press(page, 'Confirm with the code');
    await people.glance(page, 'account-identifiers-wrong-code');
    await phone.goto(await changeLink(next, 'Confirm your new'));
    await people.see(phone, 'email-elsewhere');
    await press(phone, 'It was not me: refuse and report');
    await people.see(phone, 'email-refused');
    await page.goto(account('identifiers'));
    await ask(next);
    await page.goto(await changeLink(next, 'Confirm your new', 2));
    await people.see(page, 'email-confirm');
    await press(page, 'Use this address');
    expect(await noteOn(page)).to.contain('Your e-mail address is changed.');
    await phone.goto(await changeLink(email, 'has a new e-mail address'));
    await people.see(phone, 'email-undo');
    await press(phone, 'Undo the change and sign everybody out');
    await people.see(phone, 'email-undone');
    await phone.goto(await changeLink(email, 'has a new e-mail address'));
    await people.glance(phone, 'email-undo-dead');
    await page.goto(account('profile'));
    expect(page.url(), 'everybody is signed out').to.include('/interaction/');
  });

  it('people set up a second step, are asked for it, let a browser off, move it and switch it off', async () => {
    const email = 'joan@example.com';
    const userId = await makeUser(latchkey, 'shop', email);
    const [page, before] = [await people.visitor(), await people.visitor()];
    await enter(before, email);
    await enter(page, email);
    await press(page, 'Two steps');
    await people.see(page, 'account-factors-none');
    await press(page, 'Set up');
    await people.see(page, 'account-totp');
    const secret = await secretOn(page);
    await page.fill('input[name=code]', wrongCode(secret));
    await press(page, 'Switch it on');
    expect(await secretOn(page)).to.equal(secret);
    await people.glance(page, 'account-totp-wrong');
    await page.fill('input[name=code]', totpCode(secret));
    await press(page, 'Switch it on');
    expect(await codesOn(page)).to.have.length(10);
    await people.see(page, 'account-codes');
    await press(page, 'Back to your two steps');
    await people.see(page, 'account-factors');

    // Signed in before there was one: what is sensitive waits for it.
    for (const name of ['password', 'identifiers', 'data']) {
      await before.goto(account(name));
      await people.glance(before, `account-${name}-prove`);
    }
    await press(before, 'Continue');
    await people.see(before, 'second-factor-totp');
    await typeTotp(before, wrongCode(secret));
    expect(await problemOn(before)).to.contain('That code is not right.');
    await people.glance(before, 'second-factor-totp-wrong');
    await freshSteps(userId);
    await typeTotp(before, totpCode(secret));
    expect(before.url()).to.match(/\/account\/data\?done=again$/);
    await people.glance(before, 'account-data-proved');

    const known = await people.visitor();
    await goToSignIn(known, shop, 'shared');
    await typePassword(known, email);
    await freshSteps(userId);
    await known.check('input[name=remember_device]');
    await typeTotp(known, totpCode(secret));
    await signedInAt(known, shop);
    await known.context().clearCookies({ name: /lk_ses/ });
    await signInByPassword(known, shop, 'shared', email);

    await page.goto(account('factors'));
    await people.glance(page, 'account-factors-devices');
    await page.getByText('Rename', { exact: true }).first().click();
    await page.fill('details[open] input[name=name]', 'Reading room');
    await press(page, 'Rename');
    expect(await page.textContent('main')).to.contain('Reading room');
    await press(page, 'Ask again on Reading room');
    // Set up here, and never shown here: what takes the codes away waits for it, too.
    await press(page, 'Make new recovery codes');
    await freshSteps(userId);
    await typeTotp(page, totpCode(secret));
    expect(await noteOn(page)).to.contain('Now please choose once more.');
    await press(page, 'Make new recovery codes');
    const codes = await codesOn(page);
    await press(page, 'Back to your two steps');

    await known.context().clearCookies({ name: /lk_ses/ });
    await goToSignIn(known, shop, 'own');
    await typePassword(known, email);
    await press(known, 'Use a recovery code');
    await people.see(known, 'second-factor-recovery-code');
    await typeTotp(known, 'aaaa-bbbb-cccc');
    expect(await problemOn(known)).to.contain('That recovery code does not work.');
    await people.glance(known, 'second-factor-recovery-code-wrong');
    await typeTotp(known, codes[0]!);
    await signedInAt(known, shop);

    await press(page, 'Move to another phone');
    await people.glance(page, 'account-totp-replaces');
    const newer = await secretOn(page);
    await page.fill('input[name=code]', totpCode(newer));
    await press(page, 'Switch it on');
    expect(await noteOn(page)).to.contain('The authenticator app is switched on.');
    await press(page, 'Switch off');
    expect(await noteOn(page)).to.contain('The authenticator app is switched off.');
  });

  it('people are led through setting one up where the app requires it, now or within days', async () => {
    const email = 'rosa@example.com';
    const userId = await makeUser(latchkey, 'vault', email);
    const page = await people.visitor();
    await goToSignIn(page, vault, 'own');
    await typePassword(page, email);
    await people.see(page, 'enrol-totp');
    await press(page, 'Use a passkey instead');
    expect(await page.textContent('noscript')).to.contain('This needs JavaScript');
    await people.glance(page, 'enrol-passkey-no-script');
    await press(page, 'Later');
    await signedInAt(page, vault);

    await page.context().clearCookies({ name: /lk_ses/ });
    await goToSignIn(page, vault, 'shared');
    await typePassword(page, email);
    const secret = await secretOn(page);
    await page.fill('input[name=code]', wrongCode(secret));
    await press(page, 'Switch it on');
    await people.glance(page, 'enrol-totp-wrong');
    await page.fill('input[name=code]', totpCode(secret));
    await press(page, 'Switch it on');
    await people.see(page, 'enrol-codes');
    await page.reload();
    await people.glance(page, 'enrol-codes-gone');
    await press(page, 'Make new recovery codes');
    await press(page, 'I have kept them: continue');
    const { tokens } = await signedInAt(page, vault);
    expect(tokens.claims).to.deep.include({ amr: ['pwd', 'otp', 'mfa'], acr: 'urn:latchkey:acr:2fa' });

    await page.goto(account('factors', 'vault'));
    await press(page, 'Switch off');
    expect(await problemOn(page)).to.contain('requires a second step');
    await people.glance(page, 'account-factors-required');
    const thief = await people.visitor();
    await goToSignIn(thief, vault, 'own');
    await typePassword(thief, email);
    for (let tries = 0; tries < 5; tries += 1) await typeTotp(thief, wrongCode(secret));
    await freshSteps(userId);
    await typeTotp(thief, totpCode(secret));
    expect(await problemOn(thief)).to.contain('There were too many wrong codes.');
    await people.glance(thief, 'second-factor-locked');
    await press(thief, 'Sign in as somebody else');
    expect(await howMany(thief.locator('input[name=email]'))).to.equal(1);
  });

  it('people connect a device and refuse one, and take an invitation up', async () => {
    const email = 'emmy@example.com';
    await makeUser(latchkey, 'shop', email);
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      type: 'native',
      name: 'Shop TV',
      redirect_uris: ['http://127.0.0.1/cb'],
      settings: { device_authorization: true },
    });
    const codeOfDevice = async (): Promise<string> => {
      const answer = await fetch(`${latchkey.baseUrl}/auth/shop/device_authorization`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: made.body.client_id, scope: 'openid email' }),
      });
      return ((await answer.json()) as { user_code: string }).user_code;
    };
    const page = await people.visitor();
    await page.goto(`${latchkey.baseUrl}/device`);
    await people.see(page, 'device-of-no-app');
    await page.goto(`${latchkey.baseUrl}/auth/shop/device`);
    await people.see(page, 'device');
    const type = async (code: string): Promise<void> => {
      await page.fill('input[name=user_code]', code);
      await press(page, 'Continue');
    };
    await type('BBBB-BBBB');
    expect(await problemOn(page)).to.contain('That code does not work.');
    await people.glance(page, 'device-wrong');
    await type(await codeOfDevice());
    await typePassword(page, email);
    await people.see(page, 'device-confirm');
    await press(page, 'Connect this device');
    await people.see(page, 'device-done');
    await page.goto(`${latchkey.baseUrl}/auth/shop/device`);
    await type(await codeOfDevice());
    await press(page, 'Refuse');
    await people.see(page, 'device-denied');

    const guest = await people.visitor();
    await latchkey.admin('POST', '/apps/shop/users', { email: 'guest@example.com', send_invitation: true });
    const link = await newestLink(latchkey, 'guest@example.com');
    await guest.goto(link);
    await guest.fill('input[name=new_password]', 'guest@example.com');
    await press(guest, 'Set up my account');
    await people.glance(guest, 'invitation-weak');
    await guest.fill('input[name=new_password]', PASSWORD);
    await press(guest, 'Set up my account');
    await guest.goto(link);
    await people.glance(guest, 'invitation-dead');
    await enter(guest, 'guest@example.com');
  });
});
