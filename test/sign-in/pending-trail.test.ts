import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { codesOn, secretOn, totpCode, wrongCode } from '../support/totp.ts';
import { isSignedIn, makeApp, makeUser, PASSWORD, signInWithPassword } from './people.ts';

describe('the audit trail of a sign-in that is not done with its first proof', () => {
  let lk: TestLatchkey;
  let appId: string;
  let person: { email: string; userId: string };
  let secret: string;
  let codes: string[];

  before(async () => {
    lk = await startTestLatchkey();
    appId = await makeApp(lk, { second_factor: 'required' });
  });
  after(() => lk.stop());

  type Event = { type: string; result: string; actor: object; details: object; client_id: string };
  const seen = new Set<string>();
  /** What was written of the person since it was last asked, oldest first, as operators read it. */
  const since = async (): Promise<[string, string, object][]> => {
    const { body } = await lk.admin('GET', `/apps/${appId}/audit-events?limit=200`);
    const fresh = (body.items as (Event & { event_id: string; user_id: string })[]).filter(
      ({ event_id, user_id }) => user_id === person.userId && !seen.has(event_id),
    );
    for (const { event_id } of fresh) seen.add(event_id);
    for (const { type, client_id } of fresh)
      if (type.startsWith('sign_in.')) expect(client_id).to.equal(appId);
    return fresh.reverse().map(({ type, result, details }) => [type, result, details]);
  };
  const due = ['sign_in.second_factor_due', 'success', { method: 'password' }];
  const begun = async (): Promise<{ agent: Agent; page: Page }> => {
    await lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [
      person.userId,
    ]);
    const agent = lk.agent();
    const page = await signInWithPassword(agent, appId, person.email);
    expect(await since()).to.deep.equal([due]);
    return { agent, page };
  };

  it('says that a factor was to be set up, that it was, and who signed in with both', async () => {
    person = await makeUser(lk, appId);
    await since();
    const agent = lk.agent();
    const asked = await signInWithPassword(agent, appId, person.email);
    expect(await since()).to.deep.equal([['sign_in.step_due', 'success', { method: 'password' }]]);
    secret = secretOn(asked);
    const shown = await agent.submit(asked, { code: totpCode(secret) }, { ending: '/enrol/totp' });
    codes = codesOn(shown);
    expect((await since()).map(([type, result]) => [type, result])).to.deep.equal([
      ['totp.enabled', 'success'],
      ['recovery_codes.made', 'success'],
    ]);
    await agent.submit(shown, {}, { ending: '/recovery-codes' });
    const [last, ...more] = (await since()).filter(([type]) => type.startsWith('sign_in.'));
    expect(more).to.deep.equal([]);
    expect(last!.slice(0, 2)).to.deep.equal(['sign_in.succeeded', 'success']);
    expect(last![2]).to.include({ method: 'password', second: 'totp' });
  });

  it('says with what a second proof failed, why, and that another one did it', async () => {
    const { agent, page } = await begun();
    await agent.submit(page, { code: wrongCode(secret) }, { ending: '/second-factor/totp' });
    const failed = (method: string, reason: string) => ['sign_in.failed', 'failure', { method, reason }];
    expect(await since()).to.deep.equal([failed('totp', 'code_wrong')]);
    const paper = await agent.open(page.url.replace('/totp', '/recovery-code'));
    const wrong = codes[0]!.replace(/./g, (letter) => (letter === '-' ? '-' : letter === '0' ? '1' : '0'));
    await agent.submit(paper, { code: wrong }, { ending: '/recovery-code' });
    expect(await since()).to.deep.equal([failed('recovery_code', 'code_wrong')]);
    const done = await agent.submit(paper, { code: codes[0]! }, { ending: '/recovery-code' });
    expect(isSignedIn(done)).to.equal(true);
    const events = await since();
    expect(events.map(([type]) => type)).to.deep.equal(['recovery_code.used', 'sign_in.succeeded']);
    expect(events[1]![2]).to.include({ method: 'password', second: 'recovery_code' });
  });

  it('says that a code was used before, and that there were too many', async () => {
    const first = await begun();
    const code = totpCode(secret);
    expect(
      isSignedIn(await first.agent.submit(first.page, { code }, { ending: '/second-factor/totp' })),
    ).to.equal(true);
    expect((await since()).map(([type]) => type)).to.deep.equal(['sign_in.succeeded']);
    const agent = lk.agent();
    const page = await signInWithPassword(agent, appId, person.email);
    await agent.submit(page, { code }, { ending: '/second-factor/totp' });
    for (let i = 0; i < 5; i += 1)
      await agent.submit(page, { code: wrongCode(secret) }, { ending: '/second-factor/totp' });
    const reasons = (await since()).map(([, , details]) => (details as { reason?: string }).reason);
    expect(reasons).to.deep.equal([
      undefined,
      'code_used',
      ...Array.from({ length: 4 }, () => 'code_wrong'),
      'locked',
    ]);
    await lk.sql('delete from sign_in_failures where app_id = $1', [appId]);
  });

  it('says who turned back after the first proof, once, and nothing of who did so before it', async () => {
    const abandoned = ['sign_in.abandoned', 'failure', { method: 'password', due: 'second_factor' }];
    const cancelled = await begun();
    const left = await cancelled.agent.submit(cancelled.page, {}, { ending: '/cancel' });
    expect(new URL(left.url).searchParams.get('error')).to.equal('access_denied');
    expect(await since()).to.deep.equal([abandoned]);
    const { agent, page } = await begun();
    const fresh = await agent.submit(page, {}, { ending: '/start-over' });
    expect(await since()).to.deep.equal([abandoned]);
    await agent.submit(fresh, {}, { ending: '/cancel' });
    expect(await since()).to.deep.equal([]);
    // Anew as the same person: all is due again.
    const again = lk.agent();
    const { page: next } = { page: await signInWithPassword(again, appId, person.email, PASSWORD) };
    expect(next.url).to.match(/\/second-factor\/totp$/);
    expect(await since()).to.deep.equal([due]);
  });
});
