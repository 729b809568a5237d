import { expect } from 'chai';
import { subjectOf } from '../../src/sign-in/lockout/attempt.ts';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  askForCode,
  begin,
  freshEmail,
  isSignedIn,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
  sixteen,
} from './people.ts';

const methods = { password: true, magic_link: true, email_code: true };

const wrongOf = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

for (const driver of drivers) {
  describe(`signing in with six digits by mail, ephemeral state in ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    before(async function () {
      this.timeout(180_000);
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk, { methods });
    });
    after(() => lk.stop());

    const codeTo = async (email: string, count = 1): Promise<string> =>
      /^(\d{6})$/m.exec((await lk.mailsTo(email, count))[0]!.text)![1]!;
    const asked = async (agent = lk.agent(), user?: { userId: string; email: string }) => {
      const { userId, email } = user ?? (await makeUser(lk, appId));
      const sent = await askForCode(agent, await begin(agent, appId), email);
      return { userId, email, agent, sent, code: await codeTo(email) };
    };
    const type = (agent: Agent, sent: Page, code: string) =>
      agent.submit(sent, { code }, { ending: '/code' });

    it('#58 signs in where it was asked for, says email and no second factor, and works once', async () => {
      const { agent, sent, code, userId, email } = await asked();
      expect(sent.html)
        .to.match(/autocomplete="one-time-code"/)
        .and.match(/inputmode="numeric"/);
      const [mail] = await lk.mailsTo(email);
      expect(mail!.subject).not.to.include(code);
      expect(mail!.html).to.include(code);
      const done = await type(agent, sent, ` ${code.slice(0, 3)} ${code.slice(3)}`);
      expect(isSignedIn(done), done.html).to.equal(true);
      const { claims } = await redeem(lk, appId, done);
      expect(claims).to.deep.include({ sub: userId, amr: ['email'], acr: 'urn:latchkey:acr:1fa' });
      const again = await askForCode(agent, await begin(agent, appId, { prompt: 'login' }), freshEmail());
      expect(isSignedIn(await type(agent, again, code))).to.equal(false);
    });

    it('is worth nothing in another browser and in another sign-in of the same one', async () => {
      const { code, sent, agent, email } = await asked();
      const thief = lk.agent();
      const theirs = await askForCode(thief, await begin(thief, appId), freshEmail());
      expect((await type(thief, theirs, code)).status).to.equal(400);
      // Moved to where the code belongs, without its cookie.
      const moved = await thief.submit(
        theirs,
        { code },
        { ending: '/code', action: `${new URL(sent.url).pathname}/code` },
      );
      expect(isSignedIn(moved)).to.equal(false);
      const other = await askForCode(agent, await begin(agent, appId), email);
      const newest = await codeTo(email, 2);
      if (newest !== code) expect((await type(agent, other, code)).status).to.equal(400);
      expect(isSignedIn(await type(agent, other, newest))).to.equal(true);
    });

    it('dies of five wrong tries, of which no more than five of sixteen at once are compared', async () => {
      const { agent, sent, code, email } = await asked();
      const answers = await sixteen(() => type(agent, sent, wrongOf(code)));
      expect(new Set(answers.map((page) => page.status))).to.deep.equal(new Set([400]));
      expect((await type(agent, sent, code)).status).to.equal(400);
      const [row] = await lk.sql<{ failures: number }>(
        "select failures from sign_in_failures where subject = $1 and origin = 'mailed_code'",
        [subjectOf(email)],
      );
      expect(row!.failures).to.equal(5);
    });

    it('lets one of sixteen right ones at once sign in, and that one stays signed in', async () => {
      const { agent, sent, code } = await asked();
      // Five tries at most are compared; the rest are refused like wrong ones.
      const answers = await sixteen(() => type(agent, sent, code));
      const winners = answers.filter(isSignedIn);
      expect(winners).to.have.length(1);
      expect((await redeem(lk, appId, winners[0]!)).status).to.equal(200);
    });

    it('is refused after ten wrong ones in a day, from strangers; a known device has its own ten', async () => {
      const user = await makeUser(lk, appId);
      const home = lk.agent();
      expect(isSignedIn(await signInWithPassword(home, appId, user.email))).to.equal(true);
      await lk.sql(
        "insert into sign_in_failures (app_id, subject, origin, failures) values ($1, $2, 'mailed_code', 10)",
        [appId, subjectOf(user.email)],
      );
      const stranger = await asked(lk.agent(), user);
      expect((await type(stranger.agent, stranger.sent, stranger.code)).status).to.equal(400);
      const again = lk.agent();
      again.setCookie(`lk_dev.${appId}`, home.cookie(`lk_dev.${appId}`)!);
      const sent = await askForCode(again, await begin(again, appId), user.email);
      expect(isSignedIn(await type(again, sent, await codeTo(user.email, 2)))).to.equal(true);
    });

    it('#54 mails an address three times in ten minutes, and answers the fourth time alike', async () => {
      const { agent, sent, email } = await asked();
      let page = sent;
      for (let mails = 2; mails < 6; mails += 1) {
        page = await agent.submit(page, {}, { ending: '/email-code' });
        // One after the other, so that the newest mail is that of the newest code.
        await lk.mailsTo(email, Math.min(mails, 3));
      }
      expect([page.status, new URL(page.url).pathname]).to.deep.equal([200, new URL(sent.url).pathname]);
      const code = await codeTo(email, 3);
      expect(isSignedIn(await type(agent, page, code))).to.equal(true);
      expect(await lk.mailsTo(email, 3)).to.have.length(3);
    });

    it('#71 leaves nothing of whoever made the account before the address was proved', async () => {
      const user = await makeUser(lk, appId, { email_verified: false });
      const { agent, sent, code } = await asked(lk.agent(), user);
      expect(isSignedIn(await type(agent, sent, code))).to.equal(true);
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, user.email, PASSWORD))).to.equal(false);
    });

    it('#56 mailed before a recovery is dead after it', async () => {
      const { agent, sent, code, email } = await asked();
      const recovering = lk.agent();
      const page = await begin(recovering, appId);
      const form = await recovering.open(`${new URL(page.url).pathname}/forgot`);
      await recovering.submit(form, { email }, { ending: '/forgot' });
      const { text } = await lk.mailWith(email, /\/reset\//);
      const link = /https?:\/\/\S+\/reset\/[A-Za-z0-9_-]+/.exec(text)![0];
      await recovering.submit(await recovering.open(link), { new_password: 'quiet orchard seventeen kites' });
      expect((await type(agent, sent, code)).status).to.equal(400);
    });
  });
}

describe('six digits by mail', () => {
  let lk: TestLatchkey;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
  });
  after(() => lk.stop());

  it('are off unless an app switches them on, and may be its only way to sign in', async () => {
    const off = await makeApp(lk);
    const agent = lk.agent();
    const page = await begin(agent, off);
    expect(page.html).not.to.include('email-code');
    const { email } = await makeUser(lk, off);
    expect((await askForCode(agent, page, email)).status).to.equal(404);
    const only = await makeApp(lk, {
      methods: { password: false, magic_link: false, passkey: false, email_code: true },
    });
    const user = await makeUser(lk, only, { password: undefined });
    const sent = await agent.submit(
      await begin(agent, only),
      { email: user.email },
      { ending: '/email-code' },
    );
    const code = /^(\d{6})$/m.exec((await lk.mailsTo(user.email))[0]!.text)![1]!;
    expect(isSignedIn(await agent.submit(sent, { code }, { ending: '/code' }))).to.equal(true);
  });
});
