import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import { isSignedIn, makeApp, makeUser, signInWithPassword } from '../sign-in/people.ts';

/** Statements of chores that run beside the requests. */
const NOT_OF_THE_FLOW = /\bjobs\b|pending_graves|with gone as|select revision from apps/;

/** All ephemeral state is in Postgres here, so that every statement of the flow is one that can fail. */
describe('when a statement of a second factor fails', function () {
  this.timeout(120_000);
  let lk: TestLatchkey;
  let strict: string;
  let until = 0;
  let failed = false;
  before(async () => {
    lk = await startTestLatchkey({
      observe({ text }) {
        if (until === 0 || NOT_OF_THE_FLOW.test(text)) return;
        until -= 1;
        if (until > 0) return;
        failed = true;
        throw Object.assign(new Error('terminating connection'), { code: '57P01' });
      },
    });
    strict = await makeApp(lk, { second_factor: 'required' });
  });
  after(() => lk.stop());

  const failing = async <T>(n: number, work: () => Promise<T>): Promise<T> => {
    failed = false;
    until = n;
    const result = await work();
    until = 0;
    return result;
  };
  const rows = async (userId: string): Promise<Record<string, number>> => {
    const [row] = await lk.sql(
      `select (select count(*)::int from totp_authenticators where user_id = $1) as totp,
              (select count(*)::int from recovery_codes where user_id = $1) as codes,
              (select count(*)::int from recovery_codes where user_id = $1 and used_at is not null) as used,
              (select count(*)::int from sessions where user_id = $1 and ended_at is null) as sessions`,
      [userId],
    );
    return row!;
  };
  async function enrolled() {
    const { email, userId } = await makeUser(lk, strict);
    const agent = lk.agent();
    const asked = await signInWithPassword(agent, strict, email);
    const code = totpCode(secretOn(asked));
    const enrol = () => agent.submit(asked, { code }, { ending: '/enrol/totp' });
    return { email, userId, agent, enrol };
  }

  it('it is set up with its codes or not at all, and the person gets on', async () => {
    let n = 1;
    for (; ; n += 1) {
      const { email, userId, enrol } = await enrolled();
      const page = await failing(n, enrol);
      const { totp, codes, sessions } = await rows(userId);
      expect([`${totp} ${codes}`, sessions], `statement ${n}`).to.be.deep.oneOf([
        ['0 0', 0],
        ['1 10', 0],
      ]);
      if (!failed) {
        expect(codesOn(page)).to.have.length(10);
        break;
      }
      if (page.status === 200 && codesOn(page).length === 10) continue;
      // What a person does: send the form again; and where the first one did it after all, begin anew with the app at hand.
      const again = totp === 0 ? await enrol() : await signInWithPassword(lk.agent(), strict, email);
      if (totp === 1) expect(again.url, `statement ${n}`).to.match(/\/second-factor\/totp$/);
      else expect(codesOn(again), `statement ${n}: ${again.url}`).to.have.length(10);
    }
    expect(n).to.be.within(8, 60);
  });

  it('a recovery code is used up only by what signs in, or is over', async () => {
    let n = 1;
    for (; ; n += 1) {
      const { email, userId, agent, enrol } = await enrolled();
      const codes = codesOn(await enrol());
      const due = await signInWithPassword(agent, strict, email);
      const form = await agent.open(due.url.replace('/totp', '/recovery-code'));
      const attempt = () => agent.submit(form, { code: codes[0]! }, { ending: '/recovery-code' });
      const page = await failing(n, attempt);
      if (!failed) {
        expect(isSignedIn(page), page.url).to.equal(true);
        break;
      }
      const { used, sessions } = await rows(userId);
      // Nobody is signed in without a code that is used up.
      expect(used, `statement ${n}`).to.be.at.least(sessions!);
      if (isSignedIn(page)) continue;
      expect(page.html + page.url).to.not.match(/[?&]code=|terminating connection|57P01/);
      const again = await attempt();
      if (used === 0)
        expect(isSignedIn(again), `statement ${n}: ${again.status} ${again.url}`).to.equal(true);
    }
    expect(n).to.be.within(8, 60);
  });
});
