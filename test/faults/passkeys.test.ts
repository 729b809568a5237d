import { expect } from 'chai';
import type { Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, Authenticator, mailAbout, offered } from '../support/passkeys.ts';
import { begin, isSignedIn, makeApp, makeUser, redeem, signInWithPassword } from '../sign-in/people.ts';

/** Statements of chores that run beside the requests, and the one that only says whether the app has changed. */
const NOT_OF_THE_FLOW =
  /\bjobs\b|pending_graves|with gone as|select revision from apps|insert into ephemeral/;
const MARK = 'injected fault';

describe('when a statement fails in the middle of a passkey', function () {
  this.timeout(120_000);
  let lk: TestLatchkey;
  let appId: string;
  let until = 0;
  let missed = false;

  before(async () => {
    lk = await startTestLatchkey({
      observe(statement) {
        if (until === 0 || NOT_OF_THE_FLOW.test(statement.text)) return;
        until -= 1;
        if (until > 0) return;
        missed = true;
        throw Object.assign(new Error(`${MARK}: terminating connection`), { code: '57P01' });
      },
    });
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  async function failing(n: number, work: () => Promise<Page>): Promise<{ page: Page; failed: boolean }> {
    [until, missed] = [n, false];
    const page = await work();
    until = 0;
    if (missed) {
      expect(page.status, page.html.slice(0, 300)).to.be.within(400, 503);
      expect(page.html).to.not.contain(MARK);
      expect(page.html + page.url).to.not.match(/[?&]code=/);
    }
    return { page, failed: missed };
  }
  async function eachStatement(flow: (n: number) => Promise<boolean>): Promise<void> {
    let n = 1;
    while (await flow(n)) n += 1;
    expect(n).to.be.within(4, 40);
  }
  const count = async (userId: string): Promise<number> =>
    (await lk.admin('GET', `/apps/${appId}/users/${userId}/passkeys`)).body.items.length;

  it('nobody is signed in by halves: the same answer still signs in, once', async () => {
    const { email } = await makeUser(lk, appId);
    const owner = lk.agent();
    await signInWithPassword(owner, appId, email);
    const { authenticator } = await addPasskey(owner, appId);
    await eachStatement(async (n) => {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      authenticator.counter += 1;
      const credential = authenticator.get(offered(page));
      const first = await failing(n, () => answer(agent, page, credential));
      let done = first.page;
      if (first.failed) {
        expect(agent.cookieNames().some((name) => name.startsWith('lk_ses.'))).to.equal(false);
        const stopped = new URL(done.url).pathname;
        // Where the answer was accepted and only the way back failed, a reload goes on.
        done = stopped.includes('/interaction/')
          ? await answer(agent, page, credential)
          : await agent.open(done.url);
        if (!isSignedIn(done)) {
          expect(done.status).to.be.within(400, 410);
          const anew = await begin(agent, appId);
          authenticator.counter += 1;
          done = await answer(agent, anew, authenticator.get(offered(anew)));
        }
      }
      expect(isSignedIn(done), `${n}: ${done.status} ${done.url}`).to.equal(true);
      expect((await redeem(lk, appId, done)).status).to.equal(200);
      return first.failed;
    });
  });

  it('no passkey is added by halves, none without its mail, and the same answer still adds it', async () => {
    await eachStatement(async (n) => {
      const { email, userId } = await makeUser(lk, appId);
      const agent = lk.agent();
      await signInWithPassword(agent, appId, email);
      const page = await agent.open(`/auth/${appId}/account/passkeys/new`);
      const credential = new Authenticator(agent.origin).create(offered(page));
      const { failed } = await failing(n, () => answer(agent, page, credential));
      const added = await count(userId);
      if (!failed || added === 1) {
        // The page after it may be what failed.
        await mailAbout(lk, email, 'A passkey was added');
        return failed;
      }
      const again = await answer(agent, page, credential);
      expect(again.url, again.html.slice(0, 300)).to.contain('passkey_added');
      expect(await count(userId)).to.equal(1);
      return true;
    });
  });
});
