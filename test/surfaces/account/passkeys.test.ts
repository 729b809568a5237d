import { expect } from 'chai';
import type { Agent } from '../../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import {
  addPasskey,
  answer,
  Authenticator,
  flags,
  type Lies,
  mailAbout,
  offered,
} from '../../support/passkeys.ts';
import { codesOn } from '../../support/totp.ts';
import { makeApp, makeUser, signInWithPassword, sixteen } from '../../sign-in/people.ts';

const ITS_MODEL = { aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4' };

for (const driver of drivers) {
  describe(`passkeys in the account pages, on ${driver}`, () => {
    let lk: TestLatchkey;
    let appId: string;
    let person: { userId: string; email: string };
    let agent: Agent;
    before(async () => {
      lk = await startTestLatchkey({ driver });
      appId = await makeApp(lk);
    });
    after(() => lk.stop());
    beforeEach(async () => {
      person = await makeUser(lk, appId, { profile: { name: 'Ada' } });
      agent = lk.agent();
      await signInWithPassword(agent, appId, person.email);
    });

    const at = (path = ''): string => `/auth/${appId}/account/passkeys${path}`;
    const ofPerson = async (): Promise<any[]> =>
      (await lk.admin('GET', `/apps/${appId}/users/${person.userId}/passkeys`)).body.items;
    const types = async (): Promise<string[]> => {
      const { body } = await lk.admin('GET', `/apps/${appId}/audit-events?limit=200`);
      return body.items
        .filter((event: any) => event.user_id === person.userId && event.type.startsWith('passkey.'))
        .map((event: any) => event.type);
    };

    it('are asked for so that they are found by themselves, verify their user and say whose they are', async () => {
      const options = offered(await agent.open(at('/new'))) as any;
      expect(options.rp).to.deep.equal({ name: 'Corner Shop', id: 'localhost' });
      expect(options.user.name).to.equal(`${person.email} · Corner Shop`);
      expect(options.user.displayName).to.equal('Ada · Corner Shop');
      expect(Buffer.from(options.user.id, 'base64url')).to.have.length(32);
      expect(options.authenticatorSelection).to.include({
        residentKey: 'required',
        userVerification: 'required',
      });
      expect(options.attestation).to.equal('none');
      expect(options.pubKeyCredParams.map((one: any) => one.alg)).to.deep.equal([-7, -8, -257]);
      expect(options.excludeCredentials).to.deep.equal([]);
      const { authenticator } = await addPasskey(agent, appId);
      const again = offered(await agent.open(at('/new'))) as any;
      expect(again.user.id).to.equal(options.user.id);
      expect(again.excludeCredentials.map((one: any) => one.id)).to.deep.equal([authenticator.credentialId]);
    });

    it('come with recovery codes where two proofs are required and there are none, and only then', async () => {
      const strict = await makeApp(lk, { second_factor: 'required', second_factor_grace_days: 7 });
      const { email } = await makeUser(lk, strict);
      const asked = await signInWithPassword(agent, strict, email);
      await agent.submit(asked, {}, { ending: '/enrol/later' });
      const { page } = await addPasskey(agent, strict);
      const codes = codesOn(page);
      expect(codes, page.html).to.have.length(10);
      const list = await agent.open(`/auth/${strict}/account/factors`);
      const anew = await agent.submit(list, {}, { ending: '/factors/recovery-codes' });
      expect(codesOn(anew)).to.have.length(10).and.not.include(codes[0]);
      expect((await addPasskey(agent, strict)).page.html).to.contain('Your passkey is ready.');
      // Where one proof is enough, a passkey is never asked for as the second.
      expect((await addPasskey(agent, appId)).page.html).to.contain('Your passkey is ready.');
      expect((await agent.open(`/auth/${appId}/account/factors`)).html).not.to.contain('/recovery-codes"');
    });

    it('are named by their model, renamed, listed, told of by mail and written down', async () => {
      const { page } = await addPasskey(agent, appId, new Authenticator(agent.origin), ITS_MODEL);
      expect(page.html).to.contain('Your passkey is ready.').and.contain('Google Password Manager');
      const mail = await mailAbout(lk, person.email, 'A passkey was added to your account at Corner Shop');
      expect(mail.text).to.contain('Google Password Manager').and.contain(`${lk.baseUrl}${at()}`);
      const named = await agent.submit(page, { name: '  My <b>phone</b>\u202e ' }, { ending: '/rename' });
      expect(named.html).to.contain('My &lt;b&gt;phone&lt;/b&gt;').and.not.contain('\u202e');
      expect((await agent.submit(named, { name: ' ' }, { ending: '/rename' })).html).to.contain(
        'My &lt;b&gt;',
      );
      expect((await ofPerson())[0]).to.include({
        name: 'My <b>phone</b>',
        rp_id: 'localhost',
        synced: false,
      });
      const gone = await agent.submit(named, {}, { ending: '/remove' });
      expect(gone.html).to.contain('The passkey is removed').and.contain('You have no passkey yet.');
      await mailAbout(lk, person.email, 'A passkey was removed');
      expect(await ofPerson()).to.deep.equal([]);
      expect(await types()).to.have.members(['passkey.added', 'passkey.removed']);
    });

    it('#60 are made once with one challenge, which is the session’s own', async () => {
      const asked = await agent.open(at('/new'));
      const made = await sixteen(() =>
        answer(agent, asked, new Authenticator(agent.origin).create(offered(asked))),
      );
      expect(made.filter((page) => page.url.includes('passkey_added'))).to.have.length(1);
      expect(made.filter((page) => page.status >= 500)).to.deep.equal([]);
      expect(await ofPerson()).to.have.length(1);
      const elsewhere = lk.agent();
      await signInWithPassword(elsewhere, appId, person.email);
      const theirs = await elsewhere.open(at('/new'));
      const late = await answer(agent, asked, new Authenticator(agent.origin).create(offered(theirs)));
      expect(late.status).to.equal(400);
      expect(late.html).to.contain('That took too long.');
    });

    it('#61 #62 #63 are refused with a wrong origin, host, purpose or flag, and when they are known already', async () => {
      const { up, uv, bs } = flags;
      const lies: Lies[] = [
        { origin: 'https://evil.example' },
        { rpId: 'evil.example' },
        { type: 'webauthn.get' },
        { crossOrigin: true },
        { flags: up },
        { flags: uv },
        { flags: up | uv | bs },
        { format: 'packed' },
      ];
      for (const lie of lies) {
        const { page } = await addPasskey(agent, appId, new Authenticator(agent.origin), lie);
        expect([page.status, JSON.stringify(lie)]).to.deep.equal([400, JSON.stringify(lie)]);
        expect(page.html).to.contain('could not be added');
      }
      const { authenticator } = await addPasskey(agent, appId);
      const other = await makeUser(lk, appId);
      const thief = lk.agent();
      await signInWithPassword(thief, appId, other.email);
      const taken = await addPasskey(thief, appId, new Authenticator(agent.origin), {
        credentialId: authenticator.credentialId,
      });
      expect(taken.page.html).to.contain('registered already');
      expect(await ofPerson()).to.have.length(1);
      // Another app may well know a credential of the same name: nobody here hears of it.
      const foreign = await makeApp(lk);
      const { email } = await makeUser(lk, foreign);
      const stranger = lk.agent();
      await signInWithPassword(stranger, foreign, email);
      const same = await addPasskey(stranger, foreign, new Authenticator(agent.origin), {
        credentialId: authenticator.credentialId,
      });
      expect(same.page.url).to.contain('passkey_added');
    });

    it('#63 stay when somebody else asks to rename or remove them', async () => {
      await addPasskey(agent, appId);
      const [mine] = await ofPerson();
      const other = await makeUser(lk, appId);
      const thief = lk.agent();
      await signInWithPassword(thief, appId, other.email);
      const { page } = await addPasskey(thief, appId);
      for (const [verb, fields] of [
        ['rename', { name: 'Mine now' }],
        ['remove', {}],
      ] as const)
        await thief.submit(page, fields, { ending: `/${verb}`, action: at(`/${mine.passkey_id}/${verb}`) });
      expect(await ofPerson()).to.deep.equal([mine]);
    });

    it('#36 end every other session when one is removed, and everything when an operator does it', async () => {
      const elsewhere = lk.agent();
      await signInWithPassword(elsewhere, appId, person.email);
      const isIn = async (one: Agent) => (await one.send(at())).status === 200;
      const { page } = await addPasskey(agent, appId);
      await agent.submit(page, {}, { ending: '/remove' });
      expect([await isIn(agent), await isIn(elsewhere)]).to.deep.equal([true, false]);
      await addPasskey(agent, appId);
      const [passkey] = await ofPerson();
      const path = `/apps/${appId}/users/${person.userId}/passkeys/${passkey.passkey_id}`;
      expect((await lk.admin('DELETE', path)).status).to.equal(204);
      expect((await lk.admin('DELETE', path)).body.code).to.equal('passkeys.not_found');
      expect(await isIn(agent)).to.equal(false);
    });

    it('#63 leave the last way in where it is, also when two are removed at once', async () => {
      const lonely = await makeApp(lk, { methods: { password: true, magic_link: true } });
      const { email, userId } = await makeUser(lk, lonely);
      const owner = lk.agent();
      await signInWithPassword(owner, lonely, email);
      await addPasskey(owner, lonely);
      const { page } = await addPasskey(owner, lonely);
      await lk.sql('delete from passwords where user_id = $1', [userId]);
      const changed = await lk.admin('PATCH', `/apps/${lonely}`, {
        settings: { methods: { magic_link: false } },
      });
      expect(changed.status).to.equal(200);
      const { items } = (await lk.admin('GET', `/apps/${lonely}/users/${userId}/passkeys`)).body;
      const answers = await Promise.all(
        items.map((one: any) =>
          owner.submit(
            page,
            {},
            { ending: '/remove', action: `/auth/${lonely}/account/passkeys/${one.passkey_id}/remove` },
          ),
        ),
      );
      expect(answers.map((one) => one.status)).to.have.members([200, 400]);
      expect(answers.find((one) => one.status === 400).html).to.contain('the only way into your account');
      expect((await lk.admin('GET', `/apps/${lonely}/users/${userId}/passkeys`)).body.items).to.have.length(
        1,
      );
    });

    it('are made only by somebody who signed in lately', async function () {
      // The row's clock is moved behind the back of the cache, which would still know the old one.
      if (driver === 'redis') this.skip();
      const asked = await agent.open(at('/new'));
      await lk.sql(
        `update sessions set payload = jsonb_set(payload, '{loginTs}', to_jsonb((payload ->> 'loginTs')::bigint - 960)) where user_id = $1`,
        [person.userId],
      );
      expect((await agent.open(at('/new'))).url).to.contain('/interaction/');
      const late = await answer(agent, asked, new Authenticator(agent.origin).create(offered(asked)));
      expect(late.url).to.contain('/interaction/');
      expect(await ofPerson()).to.deep.equal([]);
    });

    it('come only with an attestation where the app wants one', async () => {
      const strict = await makeApp(lk, { passkey_attestation: 'direct' });
      const { email } = await makeUser(lk, strict);
      const owner = lk.agent();
      await signInWithPassword(owner, strict, email);
      const asked = await owner.open(`/auth/${strict}/account/passkeys/new`);
      expect((offered(asked) as any).attestation).to.equal('direct');
      const { page } = await addPasskey(owner, strict);
      expect(page.status).to.equal(400);
      expect(page.html).to.contain('does not accept passkeys of that kind of device');
      const settings = { passkey_attestation_formats: ['packed', 'none'] };
      await lk.admin('PATCH', `/apps/${strict}`, { settings });
      expect((await addPasskey(owner, strict)).page.url).to.contain('passkey_added');
    });
  });
}
