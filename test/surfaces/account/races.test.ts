import { expect } from 'chai';
import type { Agent, Page } from '../../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { codesOn, secretOn, totpCode } from '../../support/totp.ts';
import {
  freshEmail,
  isSignedIn,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
  sixteen,
} from '../../sign-in/people.ts';
import { digestOfCode } from '../../../src/sign-in/recovery-codes/recovery-code.ts';

const NEW = 'seven copper umbrellas tonight';

for (const driver of drivers) {
  describe(`what the account pages do once, of sixteen at once, on ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    before(async () => {
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());

    const account = (page: string): string => `/auth/${appId}/account/${page}`;
    async function somebody(more: Record<string, unknown> = {}) {
      const { email, userId } = await makeUser(lk, appId, more);
      const agent = lk.agent();
      expect(isSignedIn(await signInWithPassword(agent, appId, email))).to.equal(true);
      return { email, userId, agent };
    }
    const events = async (userId: string): Promise<Record<string, number>> => {
      const rows = await lk.sql<{ type: string; count: number }>(
        'select type, count(*)::int as count from audit_events where user_id = $1 group by 1',
        [userId],
      );
      return Object.fromEntries(rows.map(({ type, count }) => [type, count]));
    };
    const signsIn = async (email: string, password = PASSWORD): Promise<boolean> =>
      isSignedIn(await signInWithPassword(lk.agent(), appId, email, password));

    it('a password is replaced by one of sixteen new ones, and that one signs in', async () => {
      const { email, userId, agent } = await somebody();
      const page = await agent.open(account('password'));
      const tries = (i: number) => ({ current_password: PASSWORD, new_password: `${NEW} ${i}` });
      const answers = await sixteen((i) => agent.submit(page, tries(i), { ending: '/password' }));
      const won = answers.findIndex(({ url }) => url.includes('done=password'));
      expect(answers.filter(({ url }) => url.includes('done=password'))).to.have.length(1);
      expect((await events(userId))['password.changed']).to.equal(1);
      expect(await signsIn(email, `${NEW} ${won}`)).to.equal(true);
      expect(await signsIn(email)).to.equal(false);
      expect(await signsIn(email, `${NEW} ${(won + 1) % 16}`)).to.equal(false);
    });

    it('an address is replaced by one of sixteen who type the right six digits, and it signs in', async () => {
      const { email, userId, agent } = await somebody();
      const next = freshEmail();
      const identifiers = await agent.open(account('identifiers'));
      const asked = await agent.submit(identifiers, { email: next }, { ending: '/account/identifiers' });
      const [mail] = await lk.mailsTo(next);
      const link = /https?:\/\/\S+\/identifiers\/confirm\/[A-Za-z0-9_-]+/.exec(mail!.text)![0];
      const code = /class="digits" value="(\d{6})"/.exec((await lk.agent().open(link)).html)![1]!;
      const answers = await sixteen(() => agent.submit(asked, { code }, { ending: '/code' }));
      expect(answers.filter(({ url }) => url.includes('done=email'))).to.have.length(1);
      expect(await lk.sql('select 1 from email_undos where user_id = $1', [userId])).to.have.length(1);
      expect((await events(userId))['email.changed']).to.equal(1);
      expect(await signsIn(next)).to.equal(true);
      expect(await signsIn(email)).to.equal(false);
    });

    it('#53 new recovery codes are ten, and those of one answer, and one is worth a sign-in', async () => {
      const { email, userId, agent } = await somebody();
      const setup = await agent.open(account('factors/totp'));
      const secret = secretOn(setup);
      await agent.submit(setup, { code: totpCode(secret) }, { ending: '/factors/totp' });
      await lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);
      const due = await agent.open(account('factors/prove'));
      const page = await agent.submit(due, { code: totpCode(secret) }, { ending: '/second-factor/totp' });
      const answers = await sixteen(() => agent.submit(page, {}, { ending: '/recovery-codes' }));
      const rows = await lk.sql('select digest from recovery_codes where user_id = $1', [userId]);
      expect(rows).to.have.length(10);
      const kept = new Set(rows.map(({ digest }) => digest));
      const sheets = answers.map(codesOn).filter(([one]) => one && kept.has(digestOfCode(one)));
      expect(sheets).to.have.length(1);
      const elsewhere = lk.agent();
      const asked = await signInWithPassword(elsewhere, appId, email);
      const form = await elsewhere.open(asked.url.replace('/totp', '/recovery-code'));
      const done = await elsewhere.submit(form, { code: sheets[0]![0]! }, { ending: '/recovery-code' });
      expect((await redeem(lk, appId, done)).status).to.equal(200);

      // Off once, with one mail that says so.
      const overview = await agent.open(account('factors'));
      await sixteen(() => agent.submit(overview, {}, { ending: '/totp/remove' }));
      expect((await events(userId))['totp.disabled']).to.equal(1);
      expect(await signsIn(email)).to.equal(true);
    });

    it('#36 an account is deleted once and said so once, and its address can have another', async () => {
      const { email, userId, agent } = await somebody();
      const page = await agent.open(account('data'));
      const answers: Page[] = await sixteen(() =>
        agent.submit(page, { confirm: email }, { ending: '/data/delete' }),
      );
      expect(answers.filter(({ html }) => html.includes('Your account is deleted'))).to.have.length(1);
      expect(answers.filter(({ status }) => status >= 500)).to.deep.equal([]);
      expect((await events(userId))['user.deleted']).to.equal(1);
      expect((await lk.mailWith(email, 'deleted')).subject).to.contain('deleted');
      expect(await signsIn(email)).to.equal(false);
      const again = await lk.admin('POST', `/apps/${appId}/users`, { email, password: PASSWORD });
      expect(again.status).to.equal(201);
      expect(again.body.user_id).to.not.equal(userId);
    });

    it('a first password is one of sixteen, and a way in that is removed is removed once', async () => {
      const { email, userId, agent } = await somebody();
      const removing = await agent.open(account('password'));
      await sixteen(() => agent.submit(removing, {}, { ending: '/password/remove' }));
      expect((await events(userId))['password.removed']).to.equal(1);
      const page = await agent.open(account('password'));
      const typed = (i: number) => ({ new_password: `${NEW} ${i}` });
      const answers = await sixteen((i) => agent.submit(page, typed(i), { ending: '/password' }));
      const won = answers.findIndex(({ url }) => url.includes('done=password_set'));
      expect(answers.filter(({ url }) => url.includes('done=password_set'))).to.have.length(1);
      expect((await events(userId))['password.set']).to.equal(1);
      expect(await signsIn(email, `${NEW} ${won}`)).to.equal(true);
    });

    it('a change of address and its undoing at once leave the old one, and nobody in', async () => {
      const { email, userId, agent } = await somebody();
      const change = async (to: string): Promise<{ agent: Agent; page: Page }> => {
        const identifiers = await agent.open(account('identifiers'));
        await agent.submit(identifiers, { email: to }, { ending: '/account/identifiers' });
        const link = /https?:\S+\/identifiers\/confirm\/\S+/;
        const { text } = await lk.mailWith(to, link);
        return { agent, page: await agent.open(link.exec(text)![0]) };
      };
      await agent.submit((await change(freshEmail())).page, {});
      const undoing = /https?:\S+\/identifiers\/undo\/[\w-]+/;
      const undo = undoing.exec((await lk.mailWith(email, undoing)).text)![0];
      const victim = lk.agent();
      const taking = await victim.open(undo);
      const later = await change(freshEmail());
      await sixteen((i) => (i % 2 === 0 ? victim.submit(taking, {}) : agent.submit(later.page, {})));
      const { body } = await lk.admin('GET', `/apps/${appId}/users/${userId}`);
      expect(body.email).to.equal(email);
      expect((await events(userId))['email.change_undone']).to.equal(1);
      expect((await agent.open(account('sessions'))).url).to.contain('/interaction/');
      const left = await lk.sql(
        `select 1 from email_undos where user_id = $1 union all select 1 from email_changes where user_id = $1
         union all select 1 from sessions where user_id = $1 and ended_at is null`,
        [userId],
      );
      expect(left).to.deep.equal([]);
    });
  });
}
