import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  askForLink,
  begin,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
} from './people.ts';

describe('an e-mail address', function () {
  this.timeout(120_000);
  let lk: TestLatchkey;
  let appId: string;
  before(async () => {
    lk = await startTestLatchkey();
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  const user = async (id: string) => (await lk.admin('GET', `/apps/${appId}/users/${id}`)).body;
  const found = async (email: string): Promise<{ user_id: string; email_verified: boolean }[]> =>
    (await lk.admin('GET', `/apps/${appId}/users?email=${encodeURIComponent(email)}`)).body.items;
  async function signUp(email: string, password = PASSWORD): Promise<{ agent: Agent; sent: Page }> {
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const form = await agent.open(`${new URL(page.url).pathname}/sign-up`);
    return { agent, sent: await agent.submit(form, { email, password }, { ending: '/sign-up' }) };
  }
  async function subjectOf(email: string, password = PASSWORD): Promise<unknown> {
    const done = await signInWithPassword(lk.agent(), appId, email, password);
    return (await redeem(lk, appId, done)).claims['sub'];
  }

  it('#55 is one and the same at lookup, storage and sending, however it is typed, or is refused', async () => {
    const at = 'bücher.example';
    const stored = 'victim@xn--bcher-kva.example';
    const made = await lk.admin('POST', `/apps/${appId}/users`, {
      email: `  Victim@${at.toUpperCase()} `,
      password: PASSWORD,
      email_verified: true,
    });
    expect(made.body.email).to.equal(stored);
    const typed = [stored, stored.toUpperCase(), `victim@${at}`, `ｖｉｃｔｉｍ＠${at}`, ` victim@${at} `];
    for (const [i, email] of typed.slice(0, 3).entries()) {
      const agent = lk.agent();
      const sent = await askForLink(agent, await begin(agent, appId), email);
      expect(sent.status, email).to.equal(200);
      // All of them arrive at the address that is stored, as one recipient.
      expect((await lk.mailsTo(stored, i + 1))[0]!.to).to.equal(stored);
    }
    for (const email of typed)
      expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email)), email).to.equal(true);
    expect(await found(`VICTIM＠${at}`)).to.have.length(1);

    const mails = async () =>
      ((await (await fetch(`${lk.baseUrl}/dev/inbox.json`)).json()) as unknown[]).length;
    const before = await mails();
    for (const email of [
      `${stored}.`,
      `${stored},eve@evil.test`,
      `a@b,c@d`,
      `${stored}\r\nBcc: eve@evil.test`,
      `victim@evil.test@${at}`,
      `victim ${stored}`,
    ]) {
      const agent = lk.agent();
      const page = await askForLink(agent, await begin(agent, appId), email);
      expect(page.status, email).to.equal(400);
      expect((await found(email)) ?? [], email).to.deep.equal([]);
    }
    // A tag is part of the address: nobody's mail is another's.
    const agent = lk.agent();
    await askForLink(agent, await begin(agent, appId), stored.replace('@', '+tag@'));
    const other = await makeUser(lk, appId);
    await askForLink(agent, await begin(agent, appId), other.email);
    await lk.mailsTo(other.email);
    expect(await mails()).to.equal(before + 1);
  });

  it('#69 that nobody has proved joins no account, makes none, and is verified by no word but true', async () => {
    const { email, userId } = await makeUser(lk, appId);
    // Somebody who only claims the address gets nothing from it, and changes nothing.
    await signUp(email, 'a password of somebody else 1');
    expect(await subjectOf(email)).to.equal(userId);
    expect(
      isSignedIn(await signInWithPassword(lk.agent(), appId, email, 'a password of somebody else 1')),
    ).to.equal(false);
    expect(await found(email)).to.have.length(1);
    await signUp('claimed@example.com');
    expect(await found('claimed@example.com')).to.deep.equal([]);
    // Absent is false; a text is not a yes.
    for (const email_verified of ['true', 'false', 1, null]) {
      const body = {
        email: `word-${String(email_verified)}@example.com`,
        password: PASSWORD,
        email_verified,
      };
      expect((await lk.admin('POST', `/apps/${appId}/users`, body)).status, String(email_verified)).to.equal(
        400,
      );
    }
    const silent = await makeUser(lk, appId, { email_verified: undefined });
    expect((await user(silent.userId)).email_verified).to.equal(false);
    // The person's own pages and the app's client have no field for it.
    const agent = lk.agent();
    await signInWithPassword(agent, appId, email);
    const profile = await agent.open(`/auth/${appId}/account/profile`);
    await agent.submit(
      profile,
      { email_verified: 'true', email: 'eve@evil.test' },
      { ending: '/account/profile' },
    );
    expect(await user(userId)).to.include({ email, email_verified: true });
  });

  it('#70 is not who somebody is: the subject stays when it changes, and is not passed on with it', async () => {
    const { email, userId } = await makeUser(lk, appId);
    expect(await subjectOf(email)).to.equal(userId);
    await lk.admin('PATCH', `/apps/${appId}/users/${userId}`, {
      email: `moved-${email}`,
      email_verified: true,
    });
    expect(await subjectOf(`moved-${email}`)).to.equal(userId);
    // Whoever gets the address next is somebody else, also when the one before is gone.
    const { agent, sent } = await signUp(email);
    expect(sent.status).to.equal(200);
    const done = await agent.submit(await agent.open(await linkTo(lk, email)), {});
    expect(isSignedIn(done), done.html).to.equal(true);
    const next = (await redeem(lk, appId, done)).claims['sub'];
    expect(next).not.to.equal(userId);
    expect((await lk.admin('DELETE', `/apps/${appId}/users/${String(next)}`)).status).to.be.oneOf([202, 204]);
    const third = await lk.admin('POST', `/apps/${appId}/users`, {
      email,
      password: PASSWORD,
      email_verified: true,
    });
    expect(third.body.user_id).not.to.be.oneOf([next, userId]);
    // The same address in another app is a third person there.
    const other = await makeApp(lk);
    const there = await lk.admin('POST', `/apps/${other}/users`, { email, password: PASSWORD });
    expect(there.body.user_id).not.to.be.oneOf([next, userId, third.body.user_id]);
  });
});
