import { expect } from 'chai';
import type { Agent, Page } from '../../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { makeApp, makeUser, PASSWORD } from '../../support/sign-in.ts';
import { codesOn, secretOn, totpCode, wrongCode } from '../../support/totp.ts';
import { sixteen } from '../../sign-in/people.ts';

for (const driver of drivers) {
  describe(`second factors in the account pages, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let people = 0;
    let email: string;
    let userId: string;
    let agent: Agent;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      await makeApp(latchkey, 'shop');
    });
    after(() => latchkey.stop());
    beforeEach(async () => {
      email = `ada${(people += 1)}@example.com`;
      userId = await makeUser(latchkey, 'shop', email);
      agent = latchkey.agent();
      await signIn(agent);
    });

    const account = (page = 'factors'): string => `${latchkey.baseUrl}/auth/shop/account/${page}`;
    /** Through the account's own sign-in, up to the second factor if there is one. */
    async function signIn(browser: Agent, page = 'factors'): Promise<Page> {
      const asked = await browser.open(account(page));
      return browser.submit(asked, { email, password: PASSWORD }, { ending: '/password' });
    }
    /** As if the last code had been used minutes ago. */
    const freshSteps = () =>
      latchkey.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);
    async function setUp(): Promise<{ secret: string; codes: string[] }> {
      const page = await agent.open(account('factors/totp'));
      const secret = secretOn(page);
      const done = await agent.submit(page, { code: totpCode(secret) }, { ending: '/factors/totp' });
      await freshSteps();
      return { secret, codes: codesOn(done) };
    }
    const typeCode = (browser: Agent, page: Page, secret: string, more: Record<string, string> = {}) =>
      browser.submit(page, { code: totpCode(secret), ...more }, { ending: '/second-factor/totp' });
    const sessionsOf = async (): Promise<number> =>
      (await latchkey.admin('GET', `/apps/shop/users/${userId}/sessions`)).body.items.length;

    it('#57 are changed only after showing the one that is there, and a new authenticator proves itself first', async () => {
      const first = await agent.open(account('factors/totp'));
      expect(first.html).to.contain('otpauth://totp/SHOP:');
      const refused = await agent.submit(first, { code: wrongCode(secretOn(first)) }, { ending: '/totp' });
      expect([refused.status, secretOn(refused)]).to.deep.equal([400, secretOn(first)]);
      const { secret, codes } = await setUp();
      expect([secret, codes.length]).to.deep.equal([secretOn(first), 10]);
      expect((await latchkey.mailWith(email, 'second step was added')).subject).to.contain(
        'second step was added',
      );
      // The session is that of one factor: whatever is sensitive asks for the other one, and for nothing else.
      const other = latchkey.agent();
      await typeCode(other, await signIn(other), secret);
      expect(await sessionsOf()).to.equal(2);
      await freshSteps();
      const asked = await agent.open(account('factors/totp'));
      expect(new URL(asked.url).pathname).to.match(/\/second-factor\/totp$/);
      const back = await typeCode(agent, asked, secret);
      expect(back.url).to.contain('/account/factors?done=again');
      const next = await agent.open(account('factors/totp'));
      expect(next.html).to.contain('keeps working');
      // The old one works as long as the new one has not shown a right code.
      await freshSteps();
      const meanwhile = latchkey.agent();
      expect((await typeCode(meanwhile, await signIn(meanwhile), secret)).url).to.equal(account());
      const done = await agent.submit(next, { code: totpCode(secretOn(next)) }, { ending: '/factors/totp' });
      expect(done.url).to.contain('done=totp_enabled');
      expect(await sessionsOf()).to.equal(1);
      await freshSteps();
      const late = latchkey.agent();
      const due = await signIn(late);
      expect((await typeCode(late, due, secret)).status).to.equal(400);
      expect((await typeCode(late, due, secretOn(next))).url).to.equal(account());
      expect((await agent.open(account())).html).to.contain('10 left');
    });

    it('one of sixteen switches an authenticator on, and the codes it showed work', async () => {
      const page = await agent.open(account('factors/totp'));
      const code = totpCode(secretOn(page));
      const answers = await sixteen(() => agent.submit(page, { code }, { ending: '/factors/totp' }));
      const shown = answers.map(codesOn).filter((codes) => codes.length > 0);
      expect(shown).to.have.length(1);
      for (const { status } of answers) expect(status).to.equal(200);
      const other = latchkey.agent();
      const due = await signIn(other);
      const form = await other.open(due.url.replace('/totp', '/recovery-code'));
      const done = await other.submit(form, { code: shown[0]![9]! }, { ending: '/recovery-code' });
      expect(done.url).to.equal(account());
      expect(done.html).to.contain('9 left');
    });

    it('#53 new recovery codes end the old ones, are shown once and told by mail', async () => {
      const { secret, codes } = await setUp();
      await typeCode(agent, await agent.open(account('factors/prove')), secret);
      const overview = await agent.open(account());
      const shown = await agent.submit(overview, {}, { ending: '/recovery-codes' });
      const renewed = codesOn(shown);
      expect(renewed).to.have.length(10);
      expect(shown.html).to.contain('download="recovery-codes.txt"');
      expect(codesOn(await agent.open(account()))).to.have.length(0);
      expect((await latchkey.mailWith(email, 'New recovery codes')).subject).to.contain('New recovery codes');
      const other = latchkey.agent();
      const due = await signIn(other);
      const form = await other.open(due.url.replace('/totp', '/recovery-code'));
      const dead = await other.submit(form, { code: codes[0]! }, { ending: '/recovery-code' });
      expect(dead.status).to.equal(400);
      const done = await other.submit(dead, { code: renewed[0]! }, { ending: '/recovery-code' });
      expect(done.url).to.equal(account());
    });

    it('can be switched off, which ends other sessions and takes the recovery codes along, unless the app requires one', async () => {
      const { secret } = await setUp();
      const other = latchkey.agent();
      await typeCode(other, await signIn(other), secret);
      await freshSteps();
      await typeCode(agent, await agent.open(account('factors/prove')), secret);
      await latchkey.admin('PATCH', '/apps/shop', { settings: { second_factor: 'required' } });
      const kept = await agent.submit(await agent.open(account()), {}, { ending: '/totp/remove' });
      expect([kept.status, kept.html.includes('can only be replaced')]).to.deep.equal([400, true]);
      await latchkey.admin('PATCH', '/apps/shop', { settings: { second_factor: 'optional' } });
      expect(await sessionsOf()).to.equal(2);
      const off = await agent.submit(await agent.open(account()), {}, { ending: '/totp/remove' });
      expect(off.html).to.contain('switched off');
      expect(await sessionsOf()).to.equal(1);
      expect(await latchkey.sql('select 1 from recovery_codes where user_id = $1', [userId])).to.have.length(
        0,
      );
      expect((await latchkey.mailWith(email, 'switched off')).subject).to.contain('switched off');
      expect((await signIn(latchkey.agent())).url).to.equal(account());
    });

    it('let a browser off until its day, of this user alone, as a digest, and it can be named and forgotten', async () => {
      const { secret } = await setUp();
      const trusted = latchkey.agent({
        'user-agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
      });
      await typeCode(trusted, await signIn(trusted), secret, { remember_device: 'yes' });
      const cookie = trusted.cookie('lk_trust.shop')!;
      expect(cookie).to.match(/^[A-Za-z0-9_-]{43}$/);
      const rows = await latchkey.sql('select * from trusted_devices where user_id = $1', [userId]);
      expect(JSON.stringify(rows)).to.not.contain(cookie);
      const clean = (browser: Agent) => browser.setCookie('lk_ses.shop', '');
      clean(trusted);
      expect((await signIn(trusted)).url).to.equal(account());
      // One factor is one factor: what is sensitive asks for the other.
      expect((await trusted.open(account('factors/totp'))).url).to.match(/\/second-factor\/totp$/);
      const page = await trusted.open(account());
      expect(page.html).to.contain('Firefox on Windows').and.to.contain('This browser');
      const named = await trusted.submit(page, { name: 'Kitchen <b>' }, { ending: '/rename' });
      expect(named.html).to.contain('Kitchen &lt;b&gt;');
      // Nobody else is let off with it, nor is another app.
      const mine = email;
      email = `ada${(people += 1)}@example.com`;
      userId = await makeUser(latchkey, 'shop', email);
      agent = latchkey.agent();
      await signIn(agent);
      await setUp();
      const borrowed = latchkey.agent();
      borrowed.setCookie('lk_trust.shop', cookie);
      expect((await signIn(borrowed)).url).to.match(/\/second-factor\/totp$/);
      email = mine;
      const expired = latchkey.agent();
      expired.setCookie('lk_trust.shop', cookie);
      await latchkey.sql(
        `update trusted_devices set expires_at = now() - interval '1 second' where name like 'Kitchen%'`,
      );
      expect((await signIn(expired)).url).to.match(/\/second-factor\/totp$/);
      await latchkey.sql(
        `update trusted_devices set expires_at = now() + interval '1 day' where name like 'Kitchen%'`,
      );
      const again = latchkey.agent();
      again.setCookie('lk_trust.shop', cookie);
      expect((await signIn(again)).url).to.equal(account());
      await again.submit(await again.open(account()), {}, { ending: '/forget' });
      clean(again);
      expect((await signIn(again)).url).to.match(/\/second-factor\/totp$/);
    });

    it('let off the four people of one browser who asked last, each alone, and count nobody twice', async () => {
      const shared = latchkey.agent();
      const clean = () => shared.setCookie('lk_ses.shop', '');
      const family: string[] = [];
      const trust = async (secret: string) => {
        clean();
        await freshSteps();
        await typeCode(shared, await signIn(shared), secret, { remember_device: 'yes' });
      };
      const isLetOff = async (address: string): Promise<boolean> => {
        email = address;
        clean();
        return (await signIn(shared)).url === account();
      };
      for (let i = 0; i < 5; i += 1) {
        email = `ada${(people += 1)}@example.com`;
        userId = await makeUser(latchkey, 'shop', email);
        agent = latchkey.agent();
        await signIn(agent);
        const { secret } = await setUp();
        await trust(secret);
        // One that is worth nothing any more takes nobody's place.
        if (i === 1) {
          await latchkey.sql(
            `update trusted_devices set expires_at = now() - interval '1 second' where user_id = $1`,
            [userId],
          );
          await trust(secret);
          expect(
            await latchkey.sql('select 1 from trusted_devices where user_id = $1', [userId]),
          ).to.have.length(1);
        }
        family.push(email);
      }
      const letOff = [];
      for (const address of family) letOff.push(await isLetOff(address));
      expect(letOff).to.deep.equal([false, true, true, true, true]);
      expect(shared.cookie('lk_trust.shop')!.length).to.be.lessThan(200);
    });

    it('stop letting browsers off after "sign out everywhere" and after a change of factors', async () => {
      const { secret } = await setUp();
      const trust = async () => {
        const browser = latchkey.agent();
        await freshSteps();
        await typeCode(browser, await signIn(browser), secret, { remember_device: 'yes' });
      };
      const left = () => latchkey.sql('select 1 from trusted_devices where user_id = $1', [userId]);
      await freshSteps();
      await typeCode(agent, await agent.open(account('factors/prove')), secret);
      await trust();
      expect(await left()).to.have.length(1);
      await agent.submit(await agent.open(account('sessions')), {}, { ending: '/end-others' });
      expect(await left()).to.have.length(0);
      await trust();
      await agent.submit(await agent.open(account()), {}, { ending: '/totp/remove' });
      expect(await left()).to.have.length(0);
    });
  });
}
