import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { linkIn, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey } from '../support/passkeys.ts';
import {
  askForLink,
  begin,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  PASSWORD,
  signInWithPassword,
} from './people.ts';

const NEW = 'seven copper umbrellas tonight';

/** The attacks of Sudhodanan & Paverd (2022): somebody waits in an account that its owner is yet to come to. */
describe('an account that somebody else was in before its owner', function () {
  this.timeout(120_000);
  let lk: TestLatchkey;
  let appId: string;

  before(async () => {
    lk = await startTestLatchkey();
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  const waiting = async (verified: boolean) => {
    const { email, userId } = await makeUser(lk, appId, { email_verified: verified });
    const attacker = lk.agent();
    expect(isSignedIn(await signInWithPassword(attacker, appId, email))).to.equal(true);
    return { email, userId, attacker };
  };
  const byLink = async (email: string): Promise<Page> => {
    const victim = lk.agent();
    await askForLink(victim, await begin(victim, appId), email);
    return victim.submit(await victim.open(await linkTo(lk, email)), {});
  };
  const recover = async (email: string): Promise<{ victim: Agent; shown: Page; done: Page }> => {
    const victim = lk.agent();
    const page = await begin(victim, appId);
    await victim.submit(
      await victim.open(`${new URL(page.url).pathname}/forgot`),
      { email },
      { ending: '/forgot' },
    );
    const reset = await resetLink(email);
    const shown = await victim.open(reset);
    return { victim, shown, done: await victim.submit(shown, { new_password: NEW }) };
  };
  const resetLink = async (email: string): Promise<string> => {
    for (let count = 1; ; count += 1) {
      const found = (await lk.mailsTo(email, count)).find(({ text }) => /\/reset\//.test(text));
      if (found) return linkIn(found);
    }
  };
  const isIn = async (agent: Agent): Promise<boolean> => isSignedIn(await begin(agent, appId));
  const left = async (userId: string): Promise<Record<string, number>> =>
    (
      await lk.sql(
        `select (select count(*)::int from passkeys where user_id = $1) as passkeys,
                (select count(*)::int from passwords where user_id = $1) as passwords,
                (select count(*)::int from email_changes where user_id = $1) as changes`,
        [userId],
      )
    )[0]!;

  it('#71 (1) keeps no password of whoever made it with an address that was not theirs', async () => {
    const { email, userId, attacker } = await waiting(false);
    expect(isSignedIn(await byLink(email))).to.equal(true);
    expect((await left(userId))['passwords']).to.equal(0);
    expect(await isIn(attacker)).to.equal(false);
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email))).to.equal(false);
  });

  it('#71 (2) ends the session that was open when its owner recovers it', async () => {
    const { email, attacker } = await waiting(true);
    const { victim, done } = await recover(email);
    expect(isSignedIn(done)).to.equal(true);
    expect(await isIn(attacker)).to.equal(false);
    expect(await isIn(victim)).to.equal(true);
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, PASSWORD))).to.equal(false);
  });

  it('#71 (3) keeps no passkey that was put there, whether or not the address was proved before', async () => {
    for (const verified of [false, true]) {
      const { email, userId, attacker } = await waiting(verified);
      await addPasskey(attacker, appId);
      expect((await left(userId))['passkeys']).to.equal(1);
      const { shown } = await recover(email);
      expect(shown.html).to.contain('passkeys');
      expect((await left(userId))['passkeys'], `verified: ${verified}`).to.equal(0);
    }
  });

  it('#71 a recovery leaves the passkeys that were there for longer', async () => {
    const { email, userId, attacker } = await waiting(true);
    await addPasskey(attacker, appId);
    await lk.sql(`update passkeys set created_at = now() - interval '2 days' where user_id = $1`, [userId]);
    await recover(email);
    expect((await left(userId))['passkeys']).to.equal(1);
  });

  it('#71 (4) lets no change of address that was begun before go through', async () => {
    for (const [verified, comes] of [
      [true, recover],
      [false, byLink],
    ] as const) {
      const { email, userId, attacker } = await waiting(verified);
      const theirs = `attacker-${userId.slice(-12)}@example.com`;
      const page = await attacker.open(`/auth/${appId}/account/identifiers`);
      await attacker.submit(page, { email: theirs }, { ending: '/account/identifiers' });
      const [mail] = await lk.mailsTo(theirs);
      const link = /https?:\/\/\S+\/identifiers\/confirm\/[A-Za-z0-9_-]+/.exec(mail!.text)![0];
      expect((await attacker.open(link)).status).to.equal(200);
      await comes(email);
      expect((await left(userId))['changes']).to.equal(0);
      expect((await attacker.open(link)).status).to.equal(410);
      const { body } = await lk.admin('GET', `/apps/${appId}/users/${userId}`);
      expect(body.email).to.equal(email);
    }
  });

  it('#71 (5) proves nothing by an address that nobody has proved', async () => {
    const { email, userId, attacker } = await waiting(false);
    const theirs = `attacker-${userId.slice(-12)}@example.com`;
    const page = await attacker.open(`/auth/${appId}/account/identifiers`);
    expect(page.html).to.contain('Not confirmed');
    await attacker.submit(page, { email: theirs }, { ending: '/account/identifiers' });
    const [mail] = await lk.mailsTo(theirs);
    const link = /https?:\/\/\S+\/identifiers\/confirm\/[A-Za-z0-9_-]+/.exec(mail!.text)![0];
    const done = await attacker.submit(await attacker.open(link), {});
    expect(done.html).to.contain('Your e-mail address is changed.');
    // Who reads the address that was merely written there is told nothing, and can take nothing back.
    expect(await lk.sql(`select 1 from email_undos where user_id = $1`, [userId])).to.have.length(0);
    // It is free for its owner, whose account is another one.
    const owner = await makeUser(lk, appId, { email });
    expect(owner.userId).to.not.equal(userId);
  });
});
