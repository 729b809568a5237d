import { expect } from 'chai';
import { type Agent, type Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { mailAbout } from '../support/passkeys.ts';
import { codesOn, secretOn, totpCode, wrongCode } from '../support/totp.ts';
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
  sixteen,
} from './people.ts';

const ONE = 'urn:latchkey:acr:1fa';
const TWO = 'urn:latchkey:acr:2fa';

for (const driver of drivers) {
  describe(`a second factor, ephemeral state in ${driver}`, () => {
    let lk: TestLatchkey;
    /** One that requires two factors, one that leaves it to people. */
    let strict: string;
    let shop: string;
    before(async function () {
      this.timeout(180_000);
      lk = await startTestLatchkey({ driver });
      strict = await makeApp(lk, { second_factor: 'required', features: { claims_parameter: true } });
      shop = await makeApp(lk, { features: { claims_parameter: true } });
    });
    after(() => lk.stop());

    type Person = {
      appId: string;
      email: string;
      userId: string;
      secret: string;
      codes: string[];
      agent: Agent;
    };

    /** Somebody with an authenticator app and recovery codes, set up on the way in where that is required. */
    async function person(appId = shop): Promise<Person> {
      const { email, userId } = await makeUser(lk, appId);
      if (appId === shop)
        await lk.admin('PATCH', `/apps/${shop}`, { settings: { second_factor: 'required' } });
      const agent = lk.agent();
      const page = await signInWithPassword(agent, appId, email);
      const secret = secretOn(page);
      const shown = await agent.submit(page, { code: totpCode(secret) }, { ending: '/enrol/totp' });
      expect(isSignedIn(await agent.submit(shown, {}, { ending: '/recovery-codes' }))).to.equal(true);
      if (appId === shop)
        await lk.admin('PATCH', `/apps/${shop}`, { settings: { second_factor: 'optional' } });
      await freshSteps(userId);
      return { appId, email, userId, secret, codes: codesOn(shown), agent };
    }
    /** As if the last code had been used minutes ago. */
    const freshSteps = (userId: string) =>
      lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);
    const typeCode = (agent: Agent, page: Page, code: string, more: Record<string, string> = {}) =>
      agent.submit(page, { code, ...more }, { ending: '/second-factor/totp' });
    const audited = async (appId: string, userId: string, type: string): Promise<any[]> =>
      (await lk.admin('GET', `/apps/${appId}/audit-events?limit=200`)).body.items.filter(
        (one: { type: string; user_id: string }) => one.type === type && one.user_id === userId,
      );

    it('is set up on the way in where the app requires it, by a right code, and shown from then on', async () => {
      const { email, userId } = await makeUser(lk, strict);
      const agent = lk.agent();
      const asked = await signInWithPassword(agent, strict, email);
      expect(new URL(asked.url).pathname).to.match(/\/enrol\/totp$/);
      expect(asked.html).to.contain('<svg class="qr"').and.to.contain('otpauth://totp/Corner%20Shop:');
      const secret = secretOn(asked);
      expect(secretOn(await agent.open(asked.url))).to.equal(secret);
      const refused = await agent.submit(asked, { code: wrongCode(secret) }, { ending: '/enrol/totp' });
      expect([refused.status, secretOn(refused)]).to.deep.equal([400, secret]);
      expect(await lk.sql('select 1 from totp_authenticators where user_id = $1', [userId])).to.have.length(
        0,
      );
      const shown = await agent.submit(asked, { code: totpCode(secret) }, { ending: '/enrol/totp' });
      expect(new Set(codesOn(shown)).size).to.equal(10);
      // Once: a reload shows none, and making new ones ends the old.
      const again = await agent.open(asked.url);
      expect([codesOn(again).length, new URL(again.url).pathname.endsWith('/recovery-codes')]).to.deep.equal([
        0,
        true,
      ]);
      const renewed = await agent.submit(again, {}, { ending: '/recovery-codes/new' });
      expect(codesOn(renewed)).to.have.length(10).and.to.not.include(codesOn(shown)[0]);
      const done = await agent.submit(renewed, {}, { ending: '/recovery-codes' });
      const { claims } = await redeem(lk, strict, done);
      expect(claims).to.deep.include({ acr: TWO, amr: ['pwd', 'otp', 'mfa'], sub: userId });
      await mailAbout(lk, email, 'second step was added');

      await freshSteps(userId);
      const other = lk.agent();
      const due = await signInWithPassword(other, strict, email);
      expect(new URL(due.url).pathname).to.match(/\/second-factor\/totp$/);
      expect(other.cookieNames()).to.not.include(`lk_ses.${strict}`);
      const old = await other.open(due.url.replace('/totp', '/recovery-code'));
      const dead = await other.submit(old, { code: codesOn(shown)[0]! }, { ending: '/recovery-code' });
      expect(dead.status).to.equal(400);
      expect(isSignedIn(await typeCode(other, due, totpCode(secret)))).to.equal(true);
      expect(await audited(strict, userId, 'totp.enabled')).to.have.length(1);
      expect((await audited(strict, userId, 'sign_in.succeeded'))[0].details).to.include({
        method: 'password',
        second: 'totp',
      });
    });

    it('#52 takes a code once, of the step before, this one and the next, and no older one after it', async () => {
      const { email, userId, secret } = await person();
      const [row] = await lk.sql('select seed from totp_authenticators where user_id = $1', [userId]);
      expect(row!['seed']).to.match(/^v1\./).and.not.to.contain(secret);
      // Drawn once: the half-minute may end between two tries.
      const code = totpCode(secret);
      for (const [what, typed, works] of [
        ['long ago', () => totpCode(secret, -3), false],
        ['far ahead', () => totpCode(secret, 3), false],
        ['now', () => code, true],
        ['again', () => code, false],
        ['an older one', () => totpCode(secret, -1), false],
        ['a newer one', () => totpCode(secret, 1), true],
      ] as const) {
        const agent = lk.agent();
        const due = await signInWithPassword(agent, shop, email);
        const page = await typeCode(agent, due, typed());
        expect(isSignedIn(page), what).to.equal(works);
        if (!works) expect(page.status).to.equal(400);
      }
    });

    it('#52 lets one of sixteen who post the same code at once through, and that one is signed in', async () => {
      const { email, userId, secret } = await person();
      const tries = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const agent = lk.agent();
          return { agent, page: await signInWithPassword(agent, shop, email) };
        }),
      );
      const code = totpCode(secret);
      const answers = await sixteen(async (i) => {
        const { agent, page } = tries[i % 4]!;
        return typeCode(agent, page, code);
      });
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      const { status, claims } = await redeem(lk, shop, won[0]!);
      expect([status, claims['sub'], claims['acr']]).to.deep.equal([200, userId, TWO]);
    });

    it('#52 locks after five wrong codes, also for the right one, but not a browser that is known', async () => {
      const { email, userId, secret, agent } = await person();
      const thief = lk.agent();
      const page = await signInWithPassword(thief, shop, email);
      for (let i = 0; i < 5; i += 1)
        expect((await typeCode(thief, page, wrongCode(secret))).status).to.equal(400);
      const locked = await typeCode(thief, page, totpCode(secret));
      expect([locked.status, locked.html.includes('too many wrong codes')]).to.deep.equal([400, true]);
      // The lock is the user's, not the page's: another sign-in and another kind of code stand before it too.
      const elsewhere = lk.agent();
      const there = await signInWithPassword(elsewhere, shop, email);
      expect((await typeCode(elsewhere, there, totpCode(secret))).html).to.contain('too many wrong codes');
      const known = await agent.submit(
        await begin(agent, shop, { prompt: 'login' }),
        { email, password: PASSWORD },
        { ending: '/password' },
      );
      expect(isSignedIn(await typeCode(agent, known, totpCode(secret)))).to.equal(true);
      expect((await audited(shop, userId, 'sign_in.failed')).length).to.equal(7);
    });

    it('#53 a recovery code is a digest at rest, works once of sixteen, and its use is told and counted', async () => {
      const { email, userId, codes } = await person();
      for (const code of codes) expect(code.replaceAll('-', '')).to.match(/^[0-9a-hjkmnp-tv-z]{24}$/);
      const rows = await lk.sql('select digest from recovery_codes where user_id = $1', [userId]);
      for (const code of codes)
        expect(JSON.stringify(rows)).to.not.contain(code).and.to.not.contain(code.replaceAll('-', ''));
      const tries = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const agent = lk.agent();
          const page = await signInWithPassword(agent, shop, email);
          return { agent, page: await agent.open(page.url.replace('/totp', '/recovery-code')) };
        }),
      );
      const typed = ` ${codes[3]!.replaceAll('-', ' ').replaceAll('0', 'o').toUpperCase()} `;
      const answers = await sixteen(async (i) => {
        const { agent, page } = tries[i % 4]!;
        return agent.submit(page, { code: typed }, { ending: '/recovery-code' });
      });
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      const { claims } = await redeem(lk, shop, won[0]!);
      expect(claims).to.deep.include({ acr: TWO, amr: ['pwd', 'recovery_code', 'mfa'] });
      const mail = await mailAbout(lk, email, 'recovery code was used');
      expect(mail.text).to.contain('9 are left');
      expect((await audited(shop, userId, 'recovery_code.used'))[0].details).to.deep.equal({ remaining: 9 });
    });

    it('#41 no step can be left out, repeated or entered from elsewhere', async () => {
      const { email, userId } = await person();
      const agent = lk.agent();
      const fresh = await begin(agent, shop);
      const at = new URL(fresh.url).pathname;
      const csrf = /name="csrf" value="([^"]+)"/.exec(fresh.html)![1]!;
      const later = ['second-factor/totp', 'second-factor/recovery-code', 'enrol/totp', 'recovery-codes'];
      for (const path of [...later, 'enrol/later', 'recovery-codes/new'])
        for (const body of [{}, { csrf }, { csrf, code: '123456' }]) {
          const answer = await agent.open(`${at}/${path}`, {
            method: 'POST',
            body: new URLSearchParams(body as {}),
          });
          expect(answer.status === 403 || answer.html.includes('name="password"'), path).to.equal(true);
        }
      for (const path of [...later, 'second-factor', 'enrol'])
        expect((await agent.open(`${at}/${path}`)).html, path).to.contain('name="password"');
      const due = await agent.submit(fresh, { email, password: PASSWORD }, { ending: '/password' });
      // What is due is not what was hoped for: setting up another factor, seeing codes, putting it off.
      for (const path of ['', '/enrol/totp', '/recovery-codes', '/second-factor'])
        expect((await agent.open(at + path)).url, path).to.equal(due.url);
      for (const path of ['enrol/later', 'recovery-codes', 'recovery-codes/new', 'enrol/totp']) {
        const answer = await agent.open(`${at}/${path}`, {
          method: 'POST',
          body: new URLSearchParams({ csrf }),
        });
        expect(answer.url, path).to.equal(due.url);
      }
      const consent = { csrf, decision: 'allow' };
      await agent.open(`${at}/consent`, { method: 'POST', body: new URLSearchParams(consent) });
      expect((await lk.agent().open(due.url)).status).to.equal(410);
      expect((await lk.admin('GET', `/apps/${shop}/users/${userId}/sessions`)).body.items).to.have.length(1);
      expect(codesOn(await agent.open(at))).to.have.length(0);
    });

    it('begins anew as somebody else, and ends with the app when the person cancels', async () => {
      const { email } = await person();
      const other = await makeUser(lk, shop);
      const agent = lk.agent();
      const due = await signInWithPassword(agent, shop, email);
      const fresh = await agent.submit(due, {}, { ending: '/start-over' });
      expect(fresh.html).to.contain('name="password"');
      expect((await agent.open(due.url)).html).to.contain('name="password"');
      const mine = { email: other.email, password: PASSWORD };
      expect(isSignedIn(await agent.submit(fresh, mine, { ending: '/password' }))).to.equal(true);
      const leaving = lk.agent();
      const page = await signInWithPassword(leaving, shop, email);
      const left = await leaving.submit(page, {}, { ending: '/cancel' });
      expect(new URL(left.url).searchParams.get('error')).to.equal('access_denied');
    });

    it('#56 a forgotten password does not skip it, and what was begun with the old one is over', async () => {
      const { email, secret } = await person();
      const thief = lk.agent();
      const begun = await signInWithPassword(thief, shop, email);
      const agent = lk.agent();
      const at = new URL((await begin(agent, shop)).url).pathname;
      await agent.submit(await agent.open(`${at}/forgot`), { email }, { ending: '/forgot' });
      await lk.mailsTo(email, 2);
      const link = await linkTo(lk, email, 2);
      const saved = await agent.submit(await agent.open(link), { new_password: 'seven copper umbrellas' });
      expect(new URL(saved.url).pathname).to.match(/\/second-factor\/totp$/);
      expect((await typeCode(thief, begun, totpCode(secret))).status).to.equal(410);
      const done = await typeCode(agent, saved, totpCode(secret));
      const { claims } = await redeem(lk, shop, done);
      expect(claims).to.deep.include({ acr: TWO, amr: ['email', 'otp', 'mfa'] });
    });

    it('#58 a mailed link is one factor, and two only together with a second one', async () => {
      const plain = await makeUser(lk, shop);
      const { email, secret } = await person();
      for (const [address, expected] of [
        [plain.email, { acr: ONE, amr: ['email'] }],
        [email, { acr: TWO, amr: ['email', 'otp', 'mfa'] }],
      ] as const) {
        const agent = lk.agent();
        const before = address === email ? 1 : 0;
        await askForLink(agent, await begin(agent, shop), address);
        const link = await linkTo(lk, address, before + 1);
        const page = await agent.submit(await agent.open(link), {});
        const done = address === email ? await typeCode(agent, page, totpCode(secret)) : page;
        expect((await redeem(lk, shop, done)).claims).to.deep.include(expected);
      }
    });

    it('can be put off as long as the days of grace last, counted from the first time', async () => {
      const gentle = await makeApp(lk, { second_factor: 'required', second_factor_grace_days: 7 });
      const { email, userId } = await makeUser(lk, gentle);
      const agent = lk.agent();
      const asked = await signInWithPassword(agent, gentle, email);
      const done = await agent.submit(asked, {}, { ending: '/enrol/later' });
      expect((await redeem(lk, gentle, done)).claims).to.deep.include({ acr: ONE, amr: ['pwd'] });
      await lk.sql(
        `update second_factor_requests set first_asked_at = now() - interval '8 days' where user_id = $1`,
        [userId],
      );
      const late = lk.agent();
      const page = await signInWithPassword(late, gentle, email);
      expect(page.html).to.not.contain('/enrol/later');
      const forced = await late.submit(
        page,
        {},
        { action: `${new URL(page.url).pathname.replace(/totp$/, 'later')}` },
      );
      expect(forced.url).to.equal(page.url);
    });

    it('#16 a request for two factors leads somebody with a session of one to the second factor alone', async () => {
      const { email, userId, secret } = await person();
      await lk.admin('PATCH', `/apps/${shop}`, { settings: { second_factor: 'off' } });
      const agent = lk.agent();
      const first = await redeem(lk, shop, await signInWithPassword(agent, shop, email));
      expect(first.claims).to.deep.include({ acr: ONE, amr: ['pwd'] });
      await lk.admin('PATCH', `/apps/${shop}`, { settings: { second_factor: 'optional' } });
      const essential = JSON.stringify({ id_token: { acr: { essential: true, values: [TWO] } } });
      for (const [parameters, isAsked] of [
        [{ acr_values: ONE }, false],
        [{ acr_values: `${TWO} ${ONE}` }, false],
        [{ acr_values: TWO, prompt: 'none' }, false],
        [{ claims: essential }, true],
        [{ acr_values: TWO }, true],
      ] as [Record<string, string>, boolean][]) {
        const page = await begin(agent, shop, parameters);
        expect(page.url.endsWith('/second-factor/totp'), JSON.stringify(parameters)).to.equal(isAsked);
        if (!isAsked) expect((await redeem(lk, shop, page)).claims).to.deep.include({ acr: ONE });
      }
      expect(
        new URL((await begin(agent, shop, { claims: essential, prompt: 'none' })).url).searchParams.get(
          'error',
        ),
      ).to.equal('login_required');
      // prompt and max_age ask for everything anew.
      for (const more of [{ prompt: 'login' }, { max_age: '0' }] as Record<string, string>[])
        expect((await begin(agent, shop, { acr_values: TWO, ...more })).html).to.contain('name="password"');
      const tries = await Promise.all(
        Array.from({ length: 4 }, () => begin(agent, shop, { acr_values: TWO })),
      );
      const code = totpCode(secret);
      const won = (await sixteen((i) => typeCode(agent, tries[i % 4]!, code))).filter(isSignedIn);
      expect(won).to.have.length(1);
      const { claims } = await redeem(lk, shop, won[0]!);
      expect(claims).to.deep.include({ acr: TWO, amr: ['pwd', 'otp', 'mfa'], sub: userId });
      expect(claims['auth_time']).to.equal(first.claims['auth_time']);
      expect((await redeem(lk, shop, await begin(agent, shop, { claims: essential }))).claims).to.include({
        acr: TWO,
      });
    });

    it('#16 an essential acr lets people set a factor up where they may, and is an error where they can not', async () => {
      const claims = JSON.stringify({ id_token: { acr: { essential: true, value: TWO } } });
      const { email } = await makeUser(lk, shop);
      const agent = lk.agent();
      const asked = await agent.submit(
        await begin(agent, shop, { claims }),
        { email, password: PASSWORD },
        { ending: '/password' },
      );
      expect(asked.url).to.match(/\/enrol\/totp$/);
      const shown = await agent.submit(asked, { code: totpCode(secretOn(asked)) }, { ending: '/enrol/totp' });
      const done = await agent.submit(shown, {}, { ending: '/recovery-codes' });
      expect((await redeem(lk, shop, done)).claims).to.deep.include({ acr: TWO });
      // Without insisting, nobody is kept from going on with what they have.
      const plain = await makeUser(lk, shop);
      const other = lk.agent();
      const page = await other.submit(
        await begin(other, shop, { acr_values: TWO }),
        { email: plain.email, password: PASSWORD },
        { ending: '/password' },
      );
      expect((await redeem(lk, shop, page)).claims).to.deep.include({ acr: ONE, amr: ['pwd'] });
    });

    it('#16 a browser that is let off shows it where a request asks for it', async () => {
      const { email, userId, secret } = await person();
      const agent = lk.agent();
      await typeCode(agent, await signInWithPassword(agent, shop, email), totpCode(secret), {
        remember_device: 'yes',
      });
      await freshSteps(userId);
      const sign = async (parameters: Record<string, string>) =>
        agent.submit(
          await begin(agent, shop, { prompt: 'login', ...parameters }),
          { email, password: PASSWORD },
          { ending: '/password' },
        );
      expect((await redeem(lk, shop, await sign({}))).claims).to.deep.include({ acr: ONE, amr: ['pwd'] });
      const due = await sign({ acr_values: TWO });
      expect(due.url).to.match(/\/second-factor\/totp$/);
      expect((await redeem(lk, shop, await typeCode(agent, due, totpCode(secret)))).claims).to.include({
        acr: TWO,
      });
    });

    it('is removed by an operator for somebody who lost it: signed out everywhere, told, and asked anew where required', async () => {
      const { email, userId, agent, secret } = await person(strict);
      const pending = lk.agent();
      const due = await signInWithPassword(pending, strict, email);
      const factors = `/apps/${strict}/users/${userId}/factors`;
      const { items } = (await lk.admin('GET', factors)).body;
      expect(items.map((one: any) => [one.factor, one.remaining])).to.deep.equal([
        ['totp', null],
        ['recovery_codes', 10],
      ]);
      expect(JSON.stringify(items)).to.not.contain(secret);
      expect((await lk.admin('DELETE', factors)).status).to.equal(204);
      expect((await lk.admin('GET', factors)).body.items).to.deep.equal([]);
      expect((await lk.admin('DELETE', factors)).status).to.equal(204);
      expect((await begin(agent, strict)).html).to.contain('name="password"');
      // What was begun before does not go on without.
      expect((await pending.open(due.url)).status).to.equal(410);
      await mailAbout(lk, email, 'was removed');
      expect((await signInWithPassword(lk.agent(), strict, email)).url).to.match(/\/enrol\/totp$/);
      expect(await audited(strict, userId, 'factors.removed')).to.have.length(1);
    });
  });
}
