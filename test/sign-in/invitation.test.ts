import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { writeInvitation } from '../../src/sign-in/invitation/token.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { spoilt } from '../support/token-calls.ts';
import { begin, isSignedIn, linkTo, makeApp, makeUser, signInWithPassword, sixteen } from './people.ts';

const NEW = 'seven copper umbrellas tonight';

const ROOT_KEY = randomBytes(32);

describe('accepting an invitation', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ env: { ENCRYPTION_KEYS: ROOT_KEY.toString('base64') } });
    appId = await makeApp(lk, { sign_up: 'invite_only' });
  });
  after(() => lk.stop());
  const invite = () =>
    makeUser(lk, appId, { password: undefined, email_verified: false, send_invitation: true });

  it('#59 sets the password and verifies the address, once', async () => {
    const { email } = await invite();
    const link = await linkTo(lk, email);
    const agent = lk.agent();
    const page = await agent.open(link);
    expect((await agent.submit(page, { new_password: 'short' })).status).to.equal(400);
    const answers = await sixteen(() => agent.submit(page, { new_password: NEW }));
    expect(answers.filter((one) => one.status === 200)).to.have.length(1);
    expect(answers.filter((one) => one.status === 410)).to.have.length(15);
    expect((await agent.open(link)).status).to.equal(410);
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, NEW))).to.equal(true);
    expect((await lk.admin('GET', `/apps/${appId}/users?email=${email}`)).body.items[0]).to.include({
      email_verified: true,
    });
  });

  it('#59 is nothing when changed, too late, at another app, for another address, or for a user who is disabled', async () => {
    const { email, userId } = await invite();
    const link = await linkTo(lk, email);
    const [until, late] = [60, -1].map((seconds) => {
      const expiresAt = Math.floor(Date.now() / 1000) + seconds;
      const token = writeInvitation([ROOT_KEY], appId, { userId, email, expiresAt });
      return link.replace(/[^/]+$/, token);
    });
    expect((await lk.agent().open(until!)).status).to.equal(200);
    expect((await lk.agent().open(late!)).status).to.equal(410);
    const foreign = await makeApp(lk);
    expect((await lk.agent().open(link.replace(/[^/]+$/, spoilt))).status).to.equal(410);
    expect((await lk.agent().open(link.replace(appId, foreign))).status).to.equal(410);
    expect((await lk.agent().open(link)).status).to.equal(200);
    // It belongs to one user: whoever is signed in as somebody else, it is that user's password which it sets.
    const other = await makeUser(lk, appId);
    const agent = lk.agent();
    await signInWithPassword(agent, appId, other.email);
    await agent.submit(await agent.open(link), { new_password: NEW, email: other.email });
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, other.email, NEW))).to.equal(false);
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, email, NEW))).to.equal(true);
    const disabled = await invite();
    const second = await linkTo(lk, disabled.email);
    await lk.admin('PATCH', `/apps/${appId}/users/${disabled.userId}`, { disabled: true });
    expect((await lk.agent().open(second)).status).to.equal(410);
  });
});

describe('giving consent', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    appId = await makeApp(lk, { consent: 'always' });
  });
  after(() => lk.stop());

  it('lists what is asked in words and goes on only by one of its two buttons', async () => {
    const { email } = await makeUser(lk, appId);
    const agent = lk.agent();
    const page = await signInWithPassword(agent, appId, email);
    expect(page.html).to.contain('See your e-mail address');
    expect(page.html).to.contain(email);
    expect((await agent.submit(page, {}, { ending: '/consent' })).html).to.contain('See your e-mail address');
    const denied = await agent.submit(page, { decision: 'deny' }, { ending: '/consent' });
    expect(new URL(denied.url).searchParams.get('error')).to.equal('access_denied');
    const again = await begin(agent, appId);
    expect(isSignedIn(await agent.submit(again, { decision: 'allow' }, { ending: '/consent' }))).to.equal(
      true,
    );
    expect(isSignedIn(await begin(agent, appId))).to.equal(true);
  });
});
