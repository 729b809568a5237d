import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { linkIn, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, Authenticator, offered } from '../support/passkeys.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import {
  askForCode,
  askForLink,
  begin,
  freshEmail,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  PASSWORD,
  signInWithPassword,
} from './people.ts';

const NEW = 'seven copper umbrellas tonight';
const NOTHING = { passkeys: 0, totp: 0, codes: 0, trusted: 0 };
const ESSENTIAL = JSON.stringify({
  id_token: { acr: { essential: true, value: 'urn:latchkey:acr:2fa' } },
});

/** Trojan identifiers (Sudhodanan & Paverd 2022): somebody leaves a factor of theirs in the account of another. */
describe('a second factor that somebody else left in an account', function () {
  this.timeout(120_000);
  let lk: TestLatchkey;
  let appId: string;

  before(async () => {
    lk = await startTestLatchkey();
    appId = await makeApp(lk, { methods: { email_code: true }, features: { claims_parameter: true } });
  });
  after(() => lk.stop());

  type Person = { email: string; userId: string; agent: Agent };
  const account = (page: string): string => `/auth/${appId}/account/${page}`;
  const somebody = async (more: Record<string, unknown> = {}): Promise<Person> => {
    const { email, userId } = await makeUser(lk, appId, more);
    const agent = lk.agent();
    expect(isSignedIn(await signInWithPassword(agent, appId, email))).to.equal(true);
    return { email, userId, agent };
  };
  const left = async (userId: string): Promise<Record<string, number>> =>
    (
      await lk.sql(
        `select (select count(*)::int from passkeys where user_id = $1) as passkeys,
                (select count(*)::int from totp_authenticators where user_id = $1) as totp,
                (select count(*)::int from recovery_codes where user_id = $1) as codes,
                (select count(*)::int from trusted_devices where user_id = $1) as trusted`,
        [userId],
      )
    )[0]!;
  const freshSteps = (userId: string) =>
    lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);
  /** As if all that is enrolled had been so for days. */
  const longAgo = async (userId: string): Promise<void> => {
    for (const table of ['passkeys', 'totp_authenticators', 'recovery_codes'])
      await lk.sql(`update ${table} set created_at = created_at - interval '2 days' where user_id = $1`, [
        userId,
      ]);
  };
  async function setUpTotp(agent: Agent): Promise<{ secret: string; codes: string[] }> {
    const page = await agent.open(account('factors/totp'));
    const secret = secretOn(page);
    const shown = await agent.submit(page, { code: totpCode(secret) }, { ending: '/factors/totp' });
    return { secret, codes: codesOn(shown) };
  }
  /** Shows the second factor where it is asked for, and has the browser let off. */
  async function showTotp(agent: Agent, { userId }: Person, secret: string): Promise<void> {
    await freshSteps(userId);
    const asked = await agent.open(account('factors/prove'));
    const shown = { code: totpCode(secret), remember_device: 'yes' };
    const page = await agent.submit(asked, shown, { ending: '/second-factor/totp' });
    expect(page.url).to.contain(account('factors'));
  }
  const mailedTo = async (address: string, pattern: RegExp): Promise<string> => {
    for (let count = 1; ; count += 1) {
      const found = (await lk.mailsTo(address, count)).map(({ text }) => pattern.exec(text)?.[0]);
      if (found.some(Boolean)) return found.find(Boolean)!;
    }
  };
  const recovered = async (email: string): Promise<{ victim: Agent; page: Page }> => {
    const victim = lk.agent();
    const { pathname } = new URL((await begin(victim, appId)).url);
    await victim.submit(await victim.open(`${pathname}/forgot`), { email }, { ending: '/forgot' });
    const link = await mailedTo(email, /https?:\S+\/reset\/[\w-]+/);
    return { victim, page: await victim.submit(await victim.open(link), { new_password: NEW }) };
  };
  const byLink = async (email: string): Promise<{ victim: Agent; page: Page }> => {
    const victim = lk.agent();
    await askForLink(victim, await begin(victim, appId), email);
    return { victim, page: await victim.submit(await victim.open(await linkTo(lk, email)), {}) };
  };
  const byCode = async (email: string): Promise<{ victim: Agent; page: Page }> => {
    const victim = lk.agent();
    const sent = await askForCode(victim, await begin(victim, appId), email);
    const code = await mailedTo(email, /^\d{6}$/m);
    return { victim, page: await victim.submit(sent, { code }, { ending: '/code' }) };
  };
  const byInvitation = async (email: string): Promise<{ victim: Agent; page: Page }> => {
    const mail = (await lk.mailsTo(email)).find(({ text }) => /\/invitation\//.test(text))!;
    const victim = lk.agent();
    await victim.submit(await victim.open(linkIn(mail)), { new_password: NEW });
    return { victim, page: await signInWithPassword(victim, appId, email, NEW) };
  };
  /** Changes the address, and returns the link that undoes it. */
  async function takeAddress({ email, agent }: Person): Promise<string> {
    const theirs = freshEmail();
    const page = await agent.open(account('identifiers'));
    await agent.submit(page, { email: theirs }, { ending: '/account/identifiers' });
    const link = await mailedTo(theirs, /https?:\S+\/identifiers\/confirm\/[\w-]+/);
    const done = await agent.submit(await agent.open(link), {});
    expect(done.html).to.contain('Your e-mail address is changed.');
    return mailedTo(email, /https?:\S+\/identifiers\/undo\/[\w-]+/);
  }
  const undone = async (link: string): Promise<void> => {
    const victim = lk.agent();
    expect((await victim.submit(await victim.open(link), {})).html).to.contain('yours again');
  };

  for (const [way, comes] of Object.entries({ recovered, byLink, byCode, byInvitation }))
    it(`#71 (3) is gone with everything that came with it, and asks the owner of an unproved address nothing (${way})`, async () => {
      const person = await somebody({ email_verified: false, send_invitation: way === 'byInvitation' });
      const { agent: attacker, userId, email } = person;
      const { authenticator } = await addPasskey(attacker, appId);
      const { secret } = await setUpTotp(attacker);
      await showTotp(attacker, person, secret);
      expect(await left(userId)).to.deep.equal({ passkeys: 1, totp: 1, codes: 10, trusted: 1 });
      const { victim, page } = await comes(email);
      expect(isSignedIn(page), page.url).to.equal(true);
      expect(await left(userId)).to.deep.equal(NOTHING);
      expect(isSignedIn(await begin(victim, appId))).to.equal(true);
      // Neither what was open nor what was left there leads in.
      const asked = await begin(attacker, appId);
      expect(isSignedIn(asked)).to.equal(false);
      authenticator.counter += 1;
      expect(isSignedIn(await answer(attacker, asked, authenticator.get(offered(asked))))).to.equal(false);
      expect(isSignedIn(await signInWithPassword(attacker, appId, email))).to.equal(false);
    });

  it('#71 (3) leaves no recovery codes behind when a recovery takes the passkey they came with', async () => {
    const { email, userId, agent: attacker } = await somebody();
    const first = await begin(attacker, appId, { claims: ESSENTIAL, prompt: 'login' });
    const asked = await attacker.submit(first, { email, password: PASSWORD }, { ending: '/password' });
    expect(asked.url).to.contain('/enrol/totp');
    const page = await attacker.open(new URL(asked.url).pathname.replace('/totp', '/passkey'));
    const shown = await answer(attacker, page, new Authenticator(attacker.origin).create(offered(page)));
    const theirs = codesOn(shown);
    expect(theirs).to.have.length(10);
    const { victim, page: back } = await recovered(email);
    expect(isSignedIn(back)).to.equal(true);
    expect(await left(userId)).to.deep.equal(NOTHING);
    // A factor of the owner's own comes with codes of their own.
    const mine = await setUpTotp(victim);
    expect(mine.codes).to.have.length(10);
    const thief = lk.agent();
    const due = await signInWithPassword(thief, appId, email, NEW);
    const form = await thief.open(due.url.replace('/totp', '/recovery-code'));
    const tried = await thief.submit(form, { code: theirs[0]! }, { ending: '/recovery-code' });
    expect(tried.status).to.equal(400);
  });

  it('#71 is taken by the undoing of a change of address, whether it came before the change or after it', async () => {
    const person = await somebody();
    const { email, userId, agent: attacker } = person;
    await addPasskey(attacker, appId);
    const undo = await takeAddress(person);
    const { secret } = await setUpTotp(attacker);
    await showTotp(attacker, person, secret);
    await undone(undo);
    expect(await left(userId)).to.deep.equal(NOTHING);
    const { page } = await recovered(email);
    expect(isSignedIn(page), page.url).to.equal(true);
  });

  it('#71 does not take the older ones of the owner along, but codes that replaced theirs', async () => {
    const person = await somebody();
    const { email, userId, agent } = person;
    await addPasskey(agent, appId);
    const { secret } = await setUpTotp(agent);
    await longAgo(userId);
    // Whoever has the owner's open session and phone for a moment.
    await showTotp(agent, person, secret);
    const attacker = { ...person, agent };
    await addPasskey(agent, appId);
    const shown = await agent.submit(await agent.open(account('factors')), {}, { ending: '/recovery-codes' });
    expect(codesOn(shown)).to.have.length(10);
    await undone(await takeAddress(attacker));
    expect(await left(userId)).to.deep.equal({ passkeys: 1, totp: 1, codes: 0, trusted: 0 });
    // The owner still shows what was theirs: a mailbox alone is no way round it.
    const { victim, page } = await recovered(email);
    expect(page.url).to.match(/\/second-factor\/totp$/);
    await freshSteps(userId);
    const done = await victim.submit(page, { code: totpCode(secret) }, { ending: '/second-factor/totp' });
    expect(isSignedIn(done)).to.equal(true);
  });

  it('#71 takes an authenticator that was put in the place of the owner’s', async () => {
    const person = await somebody();
    const { userId, agent, email } = person;
    const { secret } = await setUpTotp(agent);
    await longAgo(userId);
    await showTotp(agent, person, secret);
    const undo = await takeAddress(person);
    await setUpTotp(agent);
    await undone(undo);
    expect(await left(userId)).to.deep.equal(NOTHING);
    expect(isSignedIn((await recovered(email)).page)).to.equal(true);
  });
});
