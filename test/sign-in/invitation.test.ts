import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { begin, isSignedIn, linkTo, makeApp, makeUser, signInWithPassword, sixteen } from './people.ts';

const NEW = 'seven copper umbrellas tonight';

describe('accepting an invitation', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    appId = await makeApp(lk, { sign_up: 'invite_only' });
  });
  after(() => lk.stop());
  const invite = () =>
    makeUser(lk, appId, { password: undefined, email_verified: false, send_invitation: true });

  it('sets the password and verifies the address, once', async () => {
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

  it('is nothing when changed, at another app, or for a user who is disabled', async () => {
    const { email, userId } = await invite();
    const link = await linkTo(lk, email);
    const foreign = await makeApp(lk);
    expect((await lk.agent().open(`${link.slice(0, -3)}AAA`)).status).to.equal(410);
    expect((await lk.agent().open(link.replace(appId, foreign))).status).to.equal(410);
    expect((await lk.agent().open(link)).status).to.equal(200);
    await lk.admin('PATCH', `/apps/${appId}/users/${userId}`, { disabled: true });
    expect((await lk.agent().open(link)).status).to.equal(410);
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
