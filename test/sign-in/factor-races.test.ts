import { expect } from 'chai';
import { digestOfCode } from '../../src/sign-in/recovery-codes/recovery-code.ts';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { answer, Authenticator, offered } from '../support/passkeys.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import { isSignedIn, makeApp, makeUser, redeem, signInWithPassword, sixteen } from './people.ts';

for (const driver of drivers) {
  describe(`what a second factor does once, of sixteen at once, on ${driver}`, () => {
    let lk: TestLatchkey;
    let strict: string;
    before(async () => {
      lk = await startTestLatchkey({ driver });
      strict = await makeApp(lk, { second_factor: 'required' });
    });
    after(() => lk.stop());

    const rows = async (userId: string): Promise<Record<string, number>> => {
      const [row] = await lk.sql(
        `select (select count(*)::int from totp_authenticators where user_id = $1) as totp,
                (select count(*)::int from passkeys where user_id = $1) as passkeys,
                (select count(*)::int from recovery_codes where user_id = $1) as codes,
                (select count(*)::int from recovery_codes where user_id = $1 and used_at is not null) as used,
                (select count(*)::int from trusted_devices where user_id = $1) as trusted,
                (select count(*)::int from audit_events where user_id = $1 and type in ('totp.enabled', 'passkey.added')) as enabled,
                (select count(*)::int from audit_events where user_id = $1 and type = 'sign_in.succeeded') as sign_ins`,
        [userId],
      );
      return row!;
    };
    const onward = (agent: Agent, page: Page) => agent.submit(page, {}, { ending: '/recovery-codes' });
    /** Signs in anew with the password and a code of paper. */
    async function withRecoveryCode(email: string, code: string): Promise<Page> {
      const agent = lk.agent();
      const due = await signInWithPassword(agent, strict, email);
      const form = await agent.open(due.url.replace(/\/second-factor\/\w+$/, '/second-factor/recovery-code'));
      return agent.submit(form, { code }, { ending: '/recovery-code' });
    }
    /** Somebody whose recovery codes were just shown, on the way in. */
    async function enrolled() {
      const { email, userId } = await makeUser(lk, strict);
      const agent = lk.agent();
      const asked = await signInWithPassword(agent, strict, email);
      const secret = secretOn(asked);
      const shown = await agent.submit(asked, { code: totpCode(secret) }, { ending: '/enrol/totp' });
      return { email, userId, agent, secret, shown };
    }

    it('#52 an authenticator is set up on the way in, and whoever was shown its codes gets to the app', async () => {
      const { email, userId } = await makeUser(lk, strict);
      const agent = lk.agent();
      const asked = await signInWithPassword(agent, strict, email);
      const code = totpCode(secretOn(asked));
      const answers = await sixteen(() => agent.submit(asked, { code }, { ending: '/enrol/totp' }));
      const won = answers.filter((page) => codesOn(page).length > 0);
      expect(won).to.have.length(1);
      expect(await rows(userId)).to.include({ totp: 1, codes: 10, enabled: 1, sign_ins: 0 });
      const done = await onward(agent, won[0]!);
      expect(isSignedIn(done), done.url).to.equal(true);
      expect((await redeem(lk, strict, done)).claims['amr']).to.deep.equal(['pwd', 'otp', 'mfa']);
      expect(isSignedIn(await withRecoveryCode(email, codesOn(won[0]!)[9]!))).to.equal(true);
    });

    it('#60 a passkey is set up on the way in, of sixteen that were made for one challenge', async () => {
      const { email, userId } = await makeUser(lk, strict);
      const agent = lk.agent();
      const asked = await signInWithPassword(agent, strict, email);
      const page = await agent.open(asked.url.replace('/totp', '/passkey'));
      const keys = Array.from({ length: 16 }, () => new Authenticator(agent.origin));
      const made = keys.map((key) => key.create(offered(page)));
      const answers = await sixteen((i) => answer(agent, page, made[i]!));
      const won = answers.findIndex((one) => codesOn(one).length > 0);
      expect(answers.filter((one) => codesOn(one).length > 0)).to.have.length(1);
      expect(await rows(userId)).to.include({ passkeys: 1, codes: 10, enabled: 1, sign_ins: 0 });
      const done = await onward(agent, answers[won]!);
      expect(isSignedIn(done), done.url).to.equal(true);
      const elsewhere = lk.agent();
      const due = await signInWithPassword(elsewhere, strict, email);
      const last = await answer(elsewhere, due, keys[won]!.get(offered(due)));
      expect(isSignedIn(last)).to.equal(true);
    });

    it('#53 recovery codes that are made anew on the way in are ten, and those of one answer', async () => {
      const { email, userId, agent, shown } = await enrolled();
      const page = await agent.open(shown.url);
      const answers = await sixteen(() => agent.submit(page, {}, { ending: '/recovery-codes/new' }));
      expect(await rows(userId)).to.include({ codes: 10, used: 0 });
      const kept = await lk.sql('select digest from recovery_codes where user_id = $1', [userId]);
      const digests = new Set(kept.map(({ digest }) => digest));
      const sheets = answers.map(codesOn).filter(([one]) => one && digests.has(digestOfCode(one)));
      expect(sheets).to.have.length(1);
      expect(sheets[0]!.every((code) => digests.has(digestOfCode(code)))).to.equal(true);
      expect(isSignedIn(await withRecoveryCode(email, sheets[0]![5]!))).to.equal(true);
    });

    it('#52 #53 one sign-in takes a code of the phone or one of paper, and remembers one browser', async () => {
      const { email, userId, secret, shown } = await enrolled();
      await lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);
      const agent = lk.agent();
      const phone = await signInWithPassword(agent, strict, email);
      const paper = await agent.open(phone.url.replace('/totp', '/recovery-code'));
      const [codes, code] = [codesOn(shown), totpCode(secret)];
      const answers = await sixteen((i) =>
        i % 2 === 0
          ? agent.submit(phone, { code, remember_device: 'yes' }, { ending: '/second-factor/totp' })
          : agent.submit(
              paper,
              { code: codes[i >> 1]!, remember_device: 'yes' },
              { ending: '/recovery-code' },
            ),
      );
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      const { claims } = await redeem(lk, strict, won[0]!);
      const isPaper = (claims['amr'] as string[]).includes('recovery_code');
      const { used, trusted, sign_ins } = await rows(userId);
      expect({ used, trusted, sign_ins }).to.deep.equal({ used: isPaper ? 1 : 0, trusted: 1, sign_ins: 1 });
      // Whatever lost was given back: it still works elsewhere. That it was tried stays counted, and five of
      // those who came after the winner had its tries taken back would lock strangers out for a minute.
      await lk.sql('delete from sign_in_failures where app_id = $1', [strict]);
      const lost = answers.findIndex((page, i) => i % 2 === 1 && !isSignedIn(page));
      expect(isSignedIn(await withRecoveryCode(email, codes[lost >> 1]!))).to.equal(true);
    });
  });
}
