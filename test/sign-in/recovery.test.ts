import { expect } from 'chai';
import type { Agent } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  askForLink,
  begin,
  freshEmail,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  redeem,
  signInWithPassword,
  sixteen,
} from './people.ts';

const NEW = 'seven copper umbrellas tonight';

for (const driver of drivers) {
  describe(`recovering an account, ephemeral state in ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    before(async function () {
      this.timeout(180_000);
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());

    const forget = async (agent: Agent, email: string) => {
      const page = await begin(agent, appId, { prompt: 'login' });
      const form = await agent.open(`${new URL(page.url).pathname}/forgot`);
      return agent.submit(form, { email }, { ending: '/forgot' });
    };

    it('sets the password, signs in where it was begun, ends every other session and tells the owner', async () => {
      const { email } = await makeUser(lk, appId);
      const thief = lk.agent();
      expect(isSignedIn(await signInWithPassword(thief, appId, email))).to.equal(true);
      const agent = lk.agent();
      await forget(agent, email);
      const link = await linkTo(lk, email);
      await lk.agent().open(link);
      const done = await agent.submit(await agent.open(link), { new_password: NEW });
      expect(isSignedIn(done), done.html).to.equal(true);
      expect((await redeem(lk, appId, done)).status).to.equal(200);
      expect((await begin(thief, appId)).html).to.contain('name="password"');
      expect(isSignedIn(await begin(agent, appId))).to.equal(true);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email))).to.equal(false);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, NEW))).to.equal(true);
      // Beside the link and, by now, the sign-in from a browser that is new.
      const subjects = (await lk.mailsTo(email, 3)).map(({ subject }) => subject);
      expect(subjects.join()).to.contain('was changed');
      expect((await agent.open(link)).status).to.equal(410);
    });

    it('works in a browser that is signed in as that user', async () => {
      const { email } = await makeUser(lk, appId);
      const agent = lk.agent();
      await signInWithPassword(agent, appId, email);
      await forget(agent, email);
      const done = await agent.submit(await agent.open(await linkTo(lk, email)), { new_password: NEW });
      expect(isSignedIn(done), done.html).to.equal(true);
      expect((await redeem(lk, appId, done)).status).to.equal(200);
    });

    it('sets the password in another browser without signing in, also for a user who had none', async () => {
      const { email } = await makeUser(lk, appId, { password: undefined, email_verified: false });
      await forget(lk.agent(), email);
      const phone = lk.agent();
      const page = await phone.submit(await phone.open(await linkTo(lk, email)), { new_password: NEW });
      expect(page.status).to.equal(200);
      expect(phone.cookieNames().some((name) => name.includes('lk_ses'))).to.equal(false);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, NEW))).to.equal(true);
      expect((await lk.admin('GET', `/apps/${appId}/users?email=${email}`)).body.items[0]).to.include({
        email_verified: true,
      });
    });

    it('kills sign-in links on their way, unlocks strangers and forgets devices', async () => {
      const { email } = await makeUser(lk, appId);
      for (let i = 0; i < 5; i += 1)
        await signInWithPassword(lk.agent(), appId, email, 'a wrong guess of many');
      const pending = lk.agent();
      await askForLink(pending, await begin(pending, appId), email);
      const magic = await linkTo(lk, email);
      const agent = lk.agent();
      await forget(agent, email);
      expect(
        isSignedIn(await agent.submit(await agent.open(await linkTo(lk, email, 2)), { new_password: NEW })),
      ).to.equal(true);
      expect((await pending.open(magic)).status).to.equal(410);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, NEW))).to.equal(true);
    });

    it('changes nothing for a password that is refused, and the link still works', async () => {
      const { email } = await makeUser(lk, appId);
      const agent = lk.agent();
      await forget(agent, email);
      const page = await agent.open(await linkTo(lk, email));
      expect((await agent.submit(page, { new_password: '' })).status).to.equal(400);
      expect((await agent.submit(page, { new_password: 'short' })).status).to.equal(400);
      expect(isSignedIn(await agent.submit(page, { new_password: NEW }))).to.equal(true);
    });

    it('mails nothing to an address without an account and answers alike', async () => {
      const { email } = await makeUser(lk, appId);
      const nobody = freshEmail();
      const pages = [await forget(lk.agent(), email), await forget(lk.agent(), nobody)];
      const shown = pages.map((page, i) => [
        page.status,
        page.html.replaceAll([email, nobody][i]!, 'X').replace(/(nonce|value|action|href)="[^"]*"/g, ''),
      ]);
      expect(shown[0]).to.deep.equal(shown[1]);
      await lk.mailsTo(email);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await lk.mailsTo(nobody, 0)).to.have.length(0);
    });

    it('lets one of sixteen win, and what the winner got works', async () => {
      const { email } = await makeUser(lk, appId);
      const agent = lk.agent();
      await forget(agent, email);
      const page = await agent.open(await linkTo(lk, email));
      const answers = await sixteen((i) => agent.submit(page, { new_password: `${NEW} ${i}` }));
      expect(answers.filter((one) => one.status >= 500)).to.have.length(0);
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
      expect(
        isSignedIn(await signInWithPassword(lk.agent(), appId, email, `${NEW} ${answers.indexOf(won[0]!)}`)),
      ).to.equal(true);
    });
  });
}
