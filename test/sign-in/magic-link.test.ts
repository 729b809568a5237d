import { expect } from 'chai';
import { formsOf } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  askForLink,
  begin,
  codeOn,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  redeem,
  signInWithPassword,
  sixteen,
} from './people.ts';

for (const driver of drivers) {
  describe(`signing in with a mailed link, ephemeral state in ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    before(async function () {
      this.timeout(180_000);
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());

    const asked = async () => {
      const user = await makeUser(lk, appId);
      const agent = lk.agent();
      const sent = await askForLink(agent, await begin(agent, appId), user.email);
      return { ...user, agent, sent, link: await linkTo(lk, user.email) };
    };

    it('signs in with one button in the browser that asked, and once', async () => {
      const { agent, link, userId } = await asked();
      const page = await agent.open(link);
      const done = await agent.submit(page, {});
      expect(isSignedIn(done), done.html).to.equal(true);
      const { claims } = await redeem(lk, appId, done);
      expect(claims).to.deep.include({ sub: userId, amr: ['email'] });
      expect((await agent.open(link)).status).to.equal(410);
    });

    it('is spent by nothing that opens it: HEAD, GET, or a scanner that presses every button', async () => {
      const { agent, link } = await asked();
      const path = new URL(link).pathname;
      const scanner = lk.agent();
      await scanner.send(path, { method: 'HEAD' });
      await agent.send(path, { method: 'HEAD' });
      for (let i = 0; i < 3; i += 1) await lk.agent().open(path);
      const page = await scanner.open(path);
      for (const form of page.html.matchAll(/action="([^"]+)"/g)) {
        await scanner.submit(page, {}, { ending: form[1]! });
        const forced = await scanner.submit(page, {}, { ending: form[1]!, action: path });
        expect(isSignedIn(forced)).to.equal(false);
      }
      expect(scanner.cookieNames().some((name) => name.includes('lk_ses'))).to.equal(false);
      expect(isSignedIn(await agent.submit(await agent.open(path), {}))).to.equal(true);
    });

    it('shows another browser the same six digits each time, which sign in where it began', async () => {
      const { agent, link, sent } = await asked();
      const phone = lk.agent();
      const code = codeOn(await phone.open(link));
      expect(code).to.match(/^\d{6}$/);
      expect(codeOn(await phone.open(link))).to.equal(code);
      const done = await agent.submit(
        sent,
        { code: `${code!.slice(0, 3)} ${code!.slice(3)}` },
        { ending: '/code' },
      );
      expect(isSignedIn(done), done.html).to.equal(true);
      expect((await phone.open(link)).status).to.equal(410);
    });

    it('#40 of an attacker, opened by whoever is signed in, switches no account', async () => {
      const victim = await makeUser(lk, appId);
      const browser = lk.agent();
      expect(isSignedIn(await signInWithPassword(browser, appId, victim.email))).to.equal(true);
      const { link } = await asked();
      const session = browser.cookies().find(([name]) => name.includes('lk_ses'))!;
      const page = await browser.open(link);
      expect(page.status).to.equal(200);
      // Nothing on it signs in: it shows a code, and the way to say that this was somebody else's doing.
      for (const { action, fields } of formsOf(page)) {
        expect(action).to.match(/\/refuse$/);
        const done = await browser.open(link, {
          method: 'POST',
          headers: { origin: lk.baseUrl },
          body: new URLSearchParams(fields),
        });
        expect(isSignedIn(done)).to.equal(false);
      }
      expect(browser.cookies()).to.deep.include(session);
      const silent = await begin(browser, appId, { prompt: 'none' });
      expect((await redeem(lk, appId, silent)).claims['sub']).to.equal(victim.userId);
    });

    it('has no code before another browser opened it', async () => {
      const { agent, sent } = await asked();
      const answers = await Promise.all(
        ['000000', '123456'].map((code) => agent.submit(sent, { code }, { ending: '/code' })),
      );
      expect(answers.map((page) => page.status)).to.deep.equal([400, 400]);
    });

    it('dies together with its code after five wrong ones', async () => {
      const { agent, link, sent } = await asked();
      const code = codeOn(await lk.agent().open(link))!;
      const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
      for (let i = 0; i < 5; i += 1)
        expect((await agent.submit(sent, { code: wrong }, { ending: '/code' })).status).to.equal(400);
      expect((await agent.submit(sent, { code }, { ending: '/code' })).status).to.equal(400);
      expect((await agent.open(link)).status).to.equal(410);
    });

    it('lets no more than five of sixteen parallel wrong codes be compared', async () => {
      const { agent, link, sent } = await asked();
      const code = Number(codeOn(await lk.agent().open(link))!);
      const guesses = await sixteen((i) =>
        agent.submit(
          sent,
          { code: String((code + 1 + i) % 1_000_000).padStart(6, '0') },
          { ending: '/code' },
        ),
      );
      expect(guesses.filter(isSignedIn)).to.have.length(0);
      const last = await agent.submit(sent, { code: String(code).padStart(6, '0') }, { ending: '/code' });
      expect(isSignedIn(last)).to.equal(false);
    });

    it('works only where it was asked for once an account has had ten wrong codes in a day', async () => {
      const user = await makeUser(lk, appId);
      for (let round = 0; round < 2; round += 1) {
        const agent = lk.agent();
        const sent = await askForLink(agent, await begin(agent, appId), user.email);
        await lk.mailsTo(user.email, round + 1);
        for (let i = 0; i < 5; i += 1) await agent.submit(sent, { code: '000000' }, { ending: '/code' });
      }
      const agent = lk.agent();
      await askForLink(agent, await begin(agent, appId), user.email);
      const link = await linkTo(lk, user.email, 3);
      expect(codeOn(await lk.agent().open(link))).to.equal(undefined);
      expect(isSignedIn(await agent.submit(await agent.open(link), {}))).to.equal(true);
    });

    it('gives no code any more once somebody said it was not them', async () => {
      const { agent, link, sent } = await asked();
      const phone = lk.agent();
      const page = await phone.open(link);
      const code = codeOn(page)!;
      await phone.submit(page, {}, { ending: '/refuse' });
      expect(codeOn(await phone.open(link))).to.equal(undefined);
      expect(isSignedIn(await agent.submit(sent, { code }, { ending: '/code' }))).to.equal(false);
    });

    it('dies when a newer one is asked for, but not by a stranger where a known device asked', async () => {
      const { email } = await makeUser(lk, appId);
      const home = lk.agent();
      expect(isSignedIn(await signInWithPassword(home, appId, email))).to.equal(true);
      const page = await begin(home, appId, { prompt: 'login' });
      await askForLink(home, page, email);
      const first = await linkTo(lk, email, 1);
      const stranger = lk.agent();
      await askForLink(stranger, await begin(stranger, appId), email);
      const second = await linkTo(lk, email, 2);
      expect((await home.open(first)).status).to.equal(200);
      expect((await stranger.open(second)).status).to.equal(200);
      await askForLink(home, page, email);
      const third = await linkTo(lk, email, 3);
      expect((await home.open(first)).status).to.equal(410);
      expect((await stranger.open(second)).status).to.equal(410);
      expect((await home.open(third)).status).to.equal(200);
    });

    it('mails an address three times in ten minutes and shows the same page afterwards', async () => {
      const { email } = await makeUser(lk, appId);
      const agent = lk.agent();
      const page = await begin(agent, appId);
      const pages = [];
      for (let i = 0; i < 5; i += 1) pages.push(await askForLink(agent, page, email));
      expect(pages.map((one) => one.status)).to.deep.equal([200, 200, 200, 200, 200]);
      const mails = await lk.mailsTo(email, 3);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await lk.mailsTo(email, 3)).to.have.length(mails.length);
      expect(isSignedIn(await agent.submit(await agent.open(await linkTo(lk, email, 3)), {}))).to.equal(true);
    });

    it('is nothing under another interaction or another app', async () => {
      const { link } = await asked();
      const secret = link.split('/').at(-1)!;
      const agent = lk.agent();
      const other = await begin(agent, appId);
      expect((await agent.open(`${new URL(other.url).pathname}/magic-link/${secret}`)).status).to.equal(410);
      const foreign = await makeApp(lk);
      expect((await lk.agent().open(link.replace(appId, foreign))).status).to.equal(410);
    });

    it('lets one of sixteen clicks win, and what the winner got works', async () => {
      const { agent, link } = await asked();
      const page = await agent.open(link);
      const answers = await sixteen(() => agent.submit(page, {}));
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect(answers.filter((one) => one.status >= 500)).to.have.length(0);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
    });

    it('lets one of sixteen right codes win, and what the winner got works', async () => {
      const { agent, link, sent } = await asked();
      const code = codeOn(await lk.agent().open(link))!;
      const answers = await sixteen(() => agent.submit(sent, { code }, { ending: '/code' }));
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect(answers.filter((one) => one.status >= 500)).to.have.length(0);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
    });

    it('takes an account away from whoever made it with an address that was not theirs', async () => {
      const { email } = await makeUser(lk, appId, { email_verified: false });
      const attacker = lk.agent();
      expect(isSignedIn(await signInWithPassword(attacker, appId, email))).to.equal(true);
      const owner = lk.agent();
      await askForLink(owner, await begin(owner, appId), email);
      expect(isSignedIn(await owner.submit(await owner.open(await linkTo(lk, email)), {}))).to.equal(true);
      expect((await begin(attacker, appId)).html).to.contain('name="password"');
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email))).to.equal(false);
    });
  });
}
