import { expect } from 'chai';
import { sql } from '../../src/storage/sql.ts';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  begin,
  codeOn,
  freshEmail,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
  sixteen,
} from './people.ts';

for (const driver of drivers) {
  describe(`signing up, ephemeral state in ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    before(async function () {
      this.timeout(180_000);
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());

    const fillIn = async (agent: Agent, email: string, password = PASSWORD): Promise<Page> => {
      const page = await begin(agent, appId);
      const form = await agent.open(`${new URL(page.url).pathname}/sign-up`);
      return agent.submit(form, { email, password }, { ending: '/sign-up' });
    };
    const usersOf = async (email: string): Promise<number> =>
      (await lk.admin('GET', `/apps/${appId}/users?email=${encodeURIComponent(email)}`)).body.items.length;
    /** What time does to an interaction. */
    const endInteraction = async (page: Page): Promise<void> => {
      const uid = new URL(page.url).pathname.split('/')[4]!;
      await lk.latchkey.stores.ephemeral.delete(appId, await keyOf(uid));
    };
    const keyOf = async (uid: string): Promise<string> =>
      (await import('../../src/oidc/adapters/interaction-adapter.ts')).interactionKey(uid);

    it('makes the account and signs in where it was begun, and only after the mail', async () => {
      const email = freshEmail();
      const agent = lk.agent();
      await fillIn(agent, email);
      const link = await linkTo(lk, email);
      expect(await usersOf(email)).to.equal(0);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email))).to.equal(false);
      const done = await agent.submit(await agent.open(link), {});
      expect(isSignedIn(done), done.html).to.equal(true);
      expect((await redeem(lk, appId, done)).status).to.equal(200);
      expect((await lk.admin('GET', `/apps/${appId}/users?email=${email}`)).body.items[0]).to.include({
        email_verified: true,
      });
    });

    it('shows another browser a code that finishes where it was begun', async () => {
      const email = freshEmail();
      const agent = lk.agent();
      const sent = await fillIn(agent, email);
      const phone = lk.agent();
      const page = await phone.open(await linkTo(lk, email));
      const code = codeOn(page)!;
      expect(isSignedIn(await phone.submit(page, {}, { ending: '/refuse', action: page.url }))).to.equal(
        false,
      );
      expect(await usersOf(email)).to.equal(0);
      expect(isSignedIn(await agent.submit(sent, { code }, { ending: '/code' }))).to.equal(true);
    });

    it('asks for the chosen password once the sign-in is over, and then signs nobody in', async () => {
      const email = freshEmail();
      const agent = lk.agent();
      const sent = await fillIn(agent, email);
      const link = await linkTo(lk, email);
      await endInteraction(sent);
      const other = lk.agent();
      const page = await other.open(link);
      expect((await other.submit(page, { password: 'a password of somebody else' })).status).to.equal(400);
      expect((await other.submit(page, {})).status).to.equal(400);
      expect(await usersOf(email)).to.equal(0);
      expect((await other.submit(page, { password: PASSWORD })).status).to.equal(200);
      expect(other.cookieNames().some((name) => name.includes('lk_ses'))).to.equal(false);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email))).to.equal(true);
      expect((await other.open(link)).status).to.equal(410);
    });

    it('kills the link after five wrong passwords', async () => {
      const email = freshEmail();
      const sent = await fillIn(lk.agent(), email);
      const link = await linkTo(lk, email);
      await endInteraction(sent);
      const other = lk.agent();
      const page = await other.open(link);
      for (let i = 0; i < 5; i += 1) await other.submit(page, { password: `not the right one ${i}` });
      expect((await other.submit(page, { password: PASSWORD })).status).to.equal(410);
      expect(await usersOf(email)).to.equal(0);
    });

    it('tells an address that has an account so by mail, and the page nothing', async () => {
      const { email } = await makeUser(lk, appId);
      const fresh = freshEmail();
      const pages = [await fillIn(lk.agent(), email), await fillIn(lk.agent(), fresh)];
      expect(pages.map((page) => page.status)).to.deep.equal([200, 200]);
      const [mail] = await lk.mailsTo(email);
      expect(mail!.subject).to.contain('already have an account');
      expect(mail!.text).not.to.contain('/sign-up/');
    });

    it('refuses passwords that are short, long, or built of what everybody would try', async () => {
      const email = freshEmail();
      for (const password of [
        'short',
        'x'.repeat(129),
        'Password1!Password1',
        'aaaaaaaaaaaaaaaaaaaa',
        '123456789012345678',
        `${email.split('@')[0]} and more`,
      ]) {
        expect((await fillIn(lk.agent(), email, password)).status, password).to.equal(400);
      }
      expect((await fillIn(lk.agent(), email, 'ein längeres Passwort 🦊 mit Leerzeichen')).status).to.equal(
        200,
      );
    });

    it('lets one of sixteen clicks win, and what the winner got works', async () => {
      const email = freshEmail();
      const agent = lk.agent();
      await fillIn(agent, email);
      const page = await agent.open(await linkTo(lk, email));
      const answers = await sixteen(() => agent.submit(page, {}));
      expect(answers.filter((one) => one.status >= 500)).to.have.length(0);
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
      expect(await usersOf(email)).to.equal(1);
    });

    it('makes one user when three sign-ups of one address are confirmed sixteen times at once', async () => {
      const email = freshEmail();
      const agents = [lk.agent(), lk.agent(), lk.agent()];
      const pages: Page[] = [];
      for (const [i, agent] of agents.entries()) {
        await fillIn(agent, email);
        pages.push(await agent.open(await linkTo(lk, email, i + 1)));
      }
      const answers = await sixteen((i) => agents[i % 3]!.submit(pages[i % 3]!, {}));
      expect(answers.filter((one) => one.status >= 500)).to.have.length(0);
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
      const rows = await lk.latchkey.stores.db.query(
        appId,
        sql`select 1 from identifiers where app_id = ${appId} and value = ${email}`,
      );
      expect(rows).to.have.length(1);
    });

    it('does not exist where the app invites people', async () => {
      const closed = await makeApp(lk, { sign_up: 'invite_only' });
      const agent = lk.agent();
      const page = await begin(agent, closed);
      expect(page.html).not.to.contain('/sign-up');
      expect((await agent.open(`${new URL(page.url).pathname}/sign-up`)).status).to.equal(404);
    });
  });
}
