import { expect } from 'chai';
import type { Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, signInWithPassword } from '../sign-in/people.ts';

/** Statements of chores that run beside the requests, and the one that only says whether the app has changed. */
const NOT_OF_THE_FLOW =
  /\bjobs\b|pending_graves|with gone as|select revision from apps|insert into ephemeral/;
const MARK = 'injected fault';

describe('when a statement fails in the middle of a change of address', function () {
  this.timeout(120_000);
  let lk: TestLatchkey;
  let appId: string;
  let until = 0;
  let missed = false;
  let people = 0;

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

  async function failing(n: number, work: () => Promise<Page>): Promise<boolean> {
    [until, missed] = [n, false];
    const page = await work();
    until = 0;
    if (!missed) return false;
    expect(page.status, page.html.slice(0, 300)).to.be.within(400, 503);
    expect(page.html).to.not.contain(MARK);
    return true;
  }
  const linkTo = async (address: string, kind: string): Promise<string> => {
    const pattern = new RegExp(`https?://\\S+/identifiers/${kind}/[A-Za-z0-9_-]+`);
    return (await lk.mailsTo(address)).map(({ text }) => pattern.exec(text)?.[0]).find(Boolean)!;
  };
  const emailOf = async (userId: string): Promise<string> =>
    (await lk.admin('GET', `/apps/${appId}/users/${userId}`)).body.email;

  it('it is as it was, and the same button still confirms and the same link still undoes, each once', async () => {
    const { email, userId } = await makeUser(lk, appId);
    const agent = lk.agent();
    await signInWithPassword(agent, appId, email);
    const next = `next-${(people += 1)}@example.com`;
    const asking = await agent.open(`/auth/${appId}/account/identifiers`);
    await agent.submit(asking, { email: next }, { ending: '/account/identifiers' });
    const confirm = await agent.open(await linkTo(next, 'confirm'));
    let n = 1;
    for (; await failing(n, () => agent.submit(confirm, {})); n += 1) {
      // The change and all that goes with it are one: while it failed, nothing of it is there. What failed afterwards
      // was only the page that says so.
      if ((await emailOf(userId)) === next) break;
      expect(await lk.sql(`select 1 from email_undos where user_id = $1`, [userId])).to.have.length(0);
    }
    expect(n).to.be.within(4, 40);
    expect(await emailOf(userId)).to.equal(next);
    const victim = lk.agent();
    const undo = await victim.open(await linkTo(email, 'undo'));
    for (n = 1; await failing(n, () => victim.submit(undo, {})); n += 1) {
      if ((await emailOf(userId)) === email) break;
      const rows = await lk.sql(`select 1 from passwords where user_id = $1`, [userId]);
      expect(rows, 'nothing is taken by halves').to.have.length(1);
    }
    expect(n).to.be.within(6, 60);
    expect(await emailOf(userId)).to.equal(email);
    expect((await victim.submit(undo, {})).status).to.equal(410);
    expect((await lk.mailsTo(next)).length).to.be.greaterThan(0);
  });
});
