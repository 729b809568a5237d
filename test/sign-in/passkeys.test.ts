import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, Authenticator, flags, type Lies, offered } from '../support/passkeys.ts';
import { begin, isSignedIn, makeApp, makeUser, redeem, signInWithPassword, sixteen } from './people.ts';

const WRONG = 'That passkey does not work here.';
const LATE = 'That took too long.';

for (const driver of drivers) {
  describe(`signing in with a passkey, on ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    let person: { userId: string; email: string };
    let authenticator: Authenticator;
    before(async () => {
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());
    beforeEach(async () => {
      person = await makeUser(lk, appId);
      authenticator = await enrolled(person.email);
    });

    async function enrolled(email: string, app = appId): Promise<Authenticator> {
      const agent = lk.agent();
      await signInWithPassword(agent, app, email);
      const made = await addPasskey(agent, app);
      expect(made.page.url, made.page.html).to.contain('done=passkey_added');
      return made.authenticator;
    }
    /** One assertion at a sign-in page, as it should be but for the lies. */
    async function tried(lies: Lies = {}, by = authenticator): Promise<{ agent: Agent; page: Page }> {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      return { agent, page: await answer(agent, page, by.get(offered(page), lies)) };
    }
    const events = (type: string) =>
      lk.sql('select * from audit_events where app_id = $1 and user_id = $2 and type = $3', [
        appId,
        person.userId,
        type,
      ]);
    function expectRefused(page: Page, sentence = WRONG): void {
      expect(page.status, page.url).to.equal(400);
      expect(page.html).to.contain(sentence);
    }

    it('finds the person by the passkey alone, and says honestly what was proved', async () => {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      const options = offered(page) as Record<string, unknown>;
      expect(options).to.include({ rpId: 'localhost', userVerification: 'required' });
      expect(options['allowCredentials']).to.deep.equal([]);
      expect(page.html).to.contain('autocomplete="username webauthn"');
      const done = await answer(agent, page, authenticator.get(offered(page)));
      expect(isSignedIn(done), done.html).to.equal(true);
      const { claims } = await redeem(lk, appId, done);
      expect(claims).to.include({ sub: person.userId, acr: 'urn:latchkey:acr:2fa' });
      expect(claims['amr']).to.deep.equal(['hwk', 'user', 'mfa']);
      const synced = new Authenticator(agent.origin);
      await addPasskey(agent, appId, synced, { flags: flags.up | flags.uv | flags.be | flags.bs });
      const again = await tried({ flags: flags.up | flags.uv | flags.be }, synced);
      expect((await redeem(lk, appId, again.page)).claims['amr']).to.deep.equal(['swk', 'user', 'mfa']);
    });

    it('#60 takes an answer to a challenge once, in its own interaction and within five minutes', async () => {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      const credential = authenticator.get(offered(page));
      expect(isSignedIn(await answer(agent, page, credential))).to.equal(true);
      const replayed = await answer(agent, page, credential);
      expect(isSignedIn(replayed)).to.equal(false);
      // In another interaction, of the same browser and of another one.
      for (const other of [agent, lk.agent()]) {
        const theirs = await begin(other, appId, { prompt: 'login' });
        expectRefused(await answer(other, theirs, credential), LATE);
        expectRefused(await answer(other, theirs, authenticator.get(offered(page))), LATE);
        expect(isSignedIn(await answer(other, theirs, authenticator.get(offered(theirs))))).to.equal(true);
      }
      // One that was drawn by somebody else, and none at all.
      expectRefused((await tried({ challenge: 'A'.repeat(94) })).page, LATE);
      expectRefused((await tried({ challenge: '' })).page);
    });

    it('#60 lets one of sixteen answers with one assertion win, and what the winner got works', async () => {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      const credential = authenticator.get(offered(page));
      const answers = await sixteen(() => answer(agent, page, credential));
      const won = answers.filter(isSignedIn);
      expect(won).to.have.length(1);
      expect(answers.filter((one) => one.status >= 500)).to.have.length(0);
      expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
      const spent = await lk.sql("select 1 from spent where app_id = $1 and kind = 'passkey_challenge'", [
        appId,
      ]);
      expect(spent.length).to.be.greaterThan(0);
    });

    it('#61 refuses what was made for another origin, relying party, purpose, or in a frame', async () => {
      const lies: Lies[] = [
        { origin: 'http://localhost:8099' },
        { origin: `${lk.baseUrl}.evil.example` },
        { origin: lk.baseUrl.replace('http:', 'https:') },
        { rpId: 'evil.example' },
        { rpId: 'sub.localhost' },
        { type: 'webauthn.create' },
        { crossOrigin: true },
      ];
      for (const lie of lies) {
        const { agent, page } = await tried(lie);
        expectRefused(page);
        expect(agent.cookieNames().some((name) => name.includes('lk_ses.'))).to.equal(false);
      }
      expect(isSignedIn((await tried()).page)).to.equal(true);
    });

    it('#62 refuses a bogus signature, a missing UP or UV, and impossible or changed backup flags', async () => {
      const { up, uv, be, bs } = flags;
      const lies: Lies[] = [
        { isSignatureBogus: true },
        { flags: up },
        { flags: uv },
        { flags: 0 },
        { flags: up | uv | bs },
        { flags: up | uv | be },
      ];
      for (const lie of lies) expectRefused((await tried(lie)).page);
      expect(await events('sign_in.failed')).to.have.length(lies.length);
      expect(isSignedIn((await tried()).page)).to.equal(true);
    });

    it('#62 refuses a counter that goes back or stands still, and tells operators, but only of what was really signed', async () => {
      expect(isSignedIn((await tried({ counter: 7 })).page)).to.equal(true);
      expectRefused((await tried({ counter: 3, isSignatureBogus: true })).page);
      expect(await events('passkey.counter_went_back')).to.have.length(0);
      for (const counter of [7, 6, 0]) expectRefused((await tried({ counter })).page);
      expect(await events('passkey.counter_went_back')).to.have.length(3);
      const [row] = await lk.sql('select counter::int from passkeys where user_id = $1', [person.userId]);
      expect(row!['counter']).to.equal(7);
      expect(isSignedIn((await tried({ counter: 8 })).page)).to.equal(true);
    });

    it('#63 refuses a passkey under the handle of somebody else, of nobody, or without one', async () => {
      const other = await enrolled((await makeUser(lk, appId)).email);
      for (const userHandle of [other.handle, 'AAAA', undefined])
        expectRefused((await tried({ userHandle })).page);
      // Another's credential, signed with a key of one's own.
      expectRefused((await tried({ credentialId: other.credentialId })).page);
      expect(isSignedIn((await tried()).page)).to.equal(true);
    });

    it('#63 lets nobody in with the passkey of a disabled user or of another app', async () => {
      const foreign = await makeApp(lk);
      const { email } = await makeUser(lk, foreign);
      expectRefused((await tried({}, await enrolled(email, foreign))).page);
      await lk.admin('PATCH', `/apps/${appId}/users/${person.userId}`, { disabled: true });
      expectRefused((await tried()).page);
    });

    it('does not exist where the app has switched it off', async () => {
      const agent = lk.agent();
      const page = await begin(agent, appId);
      const off = { settings: { methods: { passkey: false } } };
      await lk.admin('PATCH', `/apps/${appId}`, off);
      const plain = await begin(agent, appId);
      expect(plain.html).to.not.contain('passkeys.js');
      expect(plain.html).to.contain('autocomplete="username"');
      expect((await answer(agent, page, authenticator.get(offered(page)))).status).to.equal(404);
      await lk.admin('PATCH', `/apps/${appId}`, { settings: { methods: { passkey: true } } });
    });
  });
}
