import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { answer, Authenticator, mailAbout, offered } from '../support/passkeys.ts';
import { codesOn } from '../support/totp.ts';
import {
  begin,
  isSignedIn,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
  sixteen,
} from './people.ts';

for (const driver of drivers) {
  describe(`the offer of a passkey on the way in, on ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    let person: { userId: string; email: string };
    let agent: Agent;
    before(async () => {
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());
    beforeEach(async () => {
      person = await makeUser(lk, appId);
      agent = capable();
    });

    /** A browser in which the script of the sign-in page has run. */
    function capable(): Agent {
      const browser = lk.agent();
      browser.setCookie('lk_webauthn', '1');
      return browser;
    }
    const signIn = async (by = agent, email = person.email): Promise<Page> =>
      by.submit(
        await begin(by, appId, { prompt: 'login' }),
        { email, password: PASSWORD },
        { ending: '/password' },
      );
    const passkeys = async (): Promise<any[]> =>
      (await lk.admin('GET', `/apps/${appId}/users/${person.userId}/passkeys`)).body.items;
    const newOne = (page: Page): string => new Authenticator(agent.origin).create(offered(page));

    it('is made where it can be taken up, and taken up ends at the app with a passkey more', async () => {
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, person.email))).to.equal(true);
      const page = await signIn();
      expect(page.url).to.match(/\/offer\/passkey$/);
      expect(page.html).to.contain('Sign in without a password next time?');
      expect(
        agent.cookieNames().filter((name) => name.startsWith('lk_ses.')),
        'nobody is signed in yet',
      ).to.deep.equal([]);
      const done = await answer(agent, page, newOne(page));
      expect(isSignedIn(done), done.html).to.equal(true);
      expect((await redeem(lk, appId, done)).claims).to.deep.include({
        amr: ['pwd'],
        acr: 'urn:latchkey:acr:1fa',
      });
      expect(await passkeys()).to.have.length(1);
      await mailAbout(lk, person.email, 'A passkey was added');
      expect(isSignedIn(await signIn())).to.equal(true);
    });

    it('can be passed by, is then not made again to the same person here, and refuses what does not hold', async () => {
      const page = await signIn();
      const wrong = new Authenticator('https://evil.example').create(offered(page));
      const refused = await answer(agent, page, wrong);
      expect([refused.status, refused.url]).to.deep.equal([400, page.url]);
      expect(refused.html).to.contain('could not be added');
      expect(isSignedIn(await agent.submit(refused, {}, { ending: '/skip' }))).to.equal(true);
      expect(await passkeys()).to.deep.equal([]);
      expect(isSignedIn(await signIn())).to.equal(true);
      const other = await makeUser(lk, appId);
      expect((await signIn(agent, other.email)).url).to.match(/\/offer\/passkey$/);
      expect((await signIn(capable())).url).to.match(/\/offer\/passkey$/);
    });

    it('is not made where the app has no passkeys, nor to whoever came with one', async () => {
      const page = await signIn();
      const authenticator = new Authenticator(agent.origin);
      await answer(agent, page, authenticator.create(offered(page)));
      const elsewhere = capable();
      const again = await begin(elsewhere, appId);
      expect(isSignedIn(await answer(elsewhere, again, authenticator.get(offered(again))))).to.equal(true);
      const without = await makeApp(lk, { methods: { passkey: false } });
      const { email } = await makeUser(lk, without);
      expect(isSignedIn(await signInWithPassword(capable(), without, email))).to.equal(true);
    });

    it('comes with recovery codes where two proofs are required and there are none, and only then', async () => {
      const strict = await makeApp(lk, { second_factor: 'required', second_factor_grace_days: 7 });
      const { email } = await makeUser(lk, strict);
      const enter = async (by: Agent): Promise<Page> => {
        const form = await begin(by, strict, { prompt: 'login' });
        return by.submit(form, { email, password: PASSWORD }, { ending: '/password' });
      };
      const asked = await agent.submit(await enter(agent), {}, { ending: '/enrol/later' });
      expect(asked.url).to.match(/\/offer\/passkey$/);
      const authenticator = new Authenticator(agent.origin);
      const shown = await answer(agent, asked, authenticator.create(offered(asked)));
      const codes = codesOn(shown);
      expect(codes, shown.html).to.have.length(10);
      expect(agent.cookieNames().filter((name) => name.startsWith('lk_ses.'))).to.deep.equal([]);
      const done = await agent.submit(shown, {}, { ending: '/recovery-codes' });
      expect((await redeem(lk, strict, done)).claims).to.deep.include({
        amr: ['pwd', 'hwk', 'user', 'mfa'],
        acr: 'urn:latchkey:acr:2fa',
      });
      // Without the passkey, at another browser: one code instead, and its offer brings no other codes.
      const elsewhere = capable();
      const page = await enter(elsewhere);
      const challenge = await elsewhere.open(
        `${new URL(page.url).pathname.replace(/\/second-factor.*$/, '')}/second-factor/recovery-code`,
      );
      const offer = await elsewhere.submit(challenge, { code: codes[0]! }, { ending: '/recovery-code' });
      expect(offer.url).to.match(/\/offer\/passkey$/);
      const second = await answer(elsewhere, offer, new Authenticator(agent.origin).create(offered(offer)));
      expect(isSignedIn(second), second.html).to.equal(true);
    });

    it('#71 adds nothing for somebody whose access was ended meanwhile', async () => {
      const page = await signIn();
      await lk.admin('DELETE', `/apps/${appId}/users/${person.userId}/sessions`);
      const late = await answer(agent, page, newOne(page));
      expect(isSignedIn(late)).to.equal(false);
      expect(late.status).to.equal(410);
      expect(await passkeys()).to.deep.equal([]);
    });

    it('#60 is taken up once of sixteen times, and what the winner got works', async () => {
      const page = await signIn();
      const credentials = Array.from({ length: 16 }, () => newOne(page));
      const answers = await sixteen((i) => answer(agent, page, credentials[i]!));
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect(answers.filter((one) => one.status >= 500)).to.deep.equal([]);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
      expect(await passkeys()).to.have.length(1);
    });
  });
}
