import { expect } from 'chai';
import { type Agent, formsOf, type Page } from '../../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { makeApp, makeUser, PASSWORD, signedIn, type TestClient } from '../../support/sign-in.ts';
import { refresh } from '../../support/token-calls.ts';

const NEW_PASSWORD = 'seven quiet rivers at noon';

for (const driver of drivers) {
  describe(`profile and password on the account pages, on ${driver}`, function () {
    this.timeout(120_000);
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let userId: string;
    let email: string;
    let people = 0;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
    });
    after(() => latchkey.stop());
    beforeEach(async () => {
      email = `ada${(people += 1)}@example.com`;
      userId = await makeUser(latchkey, 'shop', email);
    });

    const account = (page = ''): string => `${latchkey.baseUrl}/auth/shop/account${page}`;
    const user = async (): Promise<any> => (await latchkey.admin('GET', `/apps/shop/users/${userId}`)).body;
    const enter = async (headers: Record<string, string> = {}): Promise<Agent> => {
      const agent = latchkey.agent(headers);
      await signedIn(latchkey, shop, { email, agent });
      return agent;
    };
    const isSignedIn = async (agent: Agent): Promise<boolean> =>
      (await agent.send(account('/sessions'))).status === 200;
    const submit = (agent: Agent, page: Page, fields: Record<string, string>, path: string): Promise<Page> =>
      agent.submit(page, fields, { ending: path });

    it('#57 save what people may say of themselves and nothing else, whatever the form brings', async () => {
      const agent = await enter();
      const before = await user();
      const page = await agent.open(account());
      expect(page.url).to.equal(account('/profile'));
      const done = await submit(
        agent,
        page,
        {
          name: '  Ada King ',
          given_name: 'Ada',
          locale: 'de',
          zoneinfo: 'Europe/London',
          picture: 'https://evil.example/x.png',
          preferred_username: 'admin',
          email: 'other@example.com',
          email_verified: 'true',
          phone_number: '+41441234567',
          metadata: '{"role":"admin"}',
          roles: 'admin',
          sub: 'usr_other',
          user_id: 'usr_other',
          app_id: 'console',
        },
        '/profile',
      );
      expect(done.url).to.equal(account('/profile?done=profile'));
      expect(done.html).to.contain('Your profile is saved.').and.contain('value="Ada King"');
      const { updated_at: _, ...after } = await user();
      const { updated_at: __, ...was } = before;
      expect(after).to.deep.equal({
        ...was,
        locale: 'de',
        profile: { name: 'Ada King', given_name: 'Ada', locale: 'de', zoneinfo: 'Europe/London' },
      });
      const emptied = await submit(agent, done, { given_name: '', zoneinfo: '' }, '/profile');
      expect(emptied.status).to.equal(200);
      expect((await user()).profile).to.deep.equal({ name: 'Ada King', locale: 'de' });
    });

    it('tell times in the zone that people chose, by its name, and in UTC until then', async () => {
      const agent = await enter();
      const times = async (): Promise<string[]> =>
        [...(await agent.open(account('/activity'))).html.matchAll(/<time[^>]*>([^<]+)</g)].map(
          ([, text]) => text!,
        );
      for (const time of await times()) expect(time).to.match(/\d\u00a0[AP]M\u00a0UTC$/);
      const profile = await agent.open(account('/profile'));
      await submit(agent, profile, { zoneinfo: 'Asia/Kathmandu' }, '/profile');
      const [saved] = await latchkey.sql<{ at: Date }>(
        `select occurred_at as at from audit_events where user_id = $1 order by occurred_at desc limit 1`,
        [userId],
      );
      // A quarter of an hour from any other zone: nothing else could say so.
      const there = new Date(saved!.at.getTime() + (5 * 60 + 45) * 60_000);
      const minutes = String(there.getUTCMinutes()).padStart(2, '0');
      const [newest] = await times();
      expect(newest).to.match(new RegExp(`${there.getUTCHours() % 12 || 12}:${minutes}.[AP]M.GMT\\+5:45$`));
    });

    it('keep what was typed beside what is wrong with it, and save none of it', async () => {
      const agent = await enter();
      const page = await agent.open(account('/profile'));
      const typed = {
        name: 'x'.repeat(300),
        nickname: '\u202egro',
        zoneinfo: 'Moon/Base',
        family_name: 'King',
      };
      const refused = await submit(agent, page, typed, '/profile');
      expect(refused.status).to.equal(400);
      expect(refused.html).to.contain('at most 256 characters');
      expect(refused.html)
        .to.contain('value="King"')
        .and.contain(`value="${'x'.repeat(300)}"`);
      expect(refused.html).to.contain('Please use plain text on one line.');
      expect(refused.html).to.contain('Please choose one of the list.');
      expect((await user()).profile).to.deep.equal({});
    });

    it('#36 change the password for whoever knows it, end everything else, and tell the owner', async () => {
      const here = latchkey.agent();
      const mine = await signedIn(latchkey, shop, { email, agent: here });
      const there = latchkey.agent();
      const theirs = await signedIn(latchkey, shop, { email, agent: there });
      const page = await here.open(account('/password'));
      const change = (current: string, next: string): Promise<Page> =>
        submit(here, page, { current_password: current, new_password: next }, '/password');
      const wrong = await change('not the password at all', NEW_PASSWORD);
      expect(wrong.status).to.equal(400);
      expect(wrong.html).to.contain('That is not your current password');
      expect((await change(PASSWORD, 'short')).html).to.contain('too short');
      expect(await isSignedIn(there)).to.equal(true);
      const done = await change(PASSWORD, NEW_PASSWORD);
      expect(done.html).to.contain('Your password is changed');
      expect(await isSignedIn(here)).to.equal(true);
      expect(await isSignedIn(there)).to.equal(false);
      const { configuration } = mine;
      expect((await refresh(configuration, shop, theirs.tokens.refresh_token!)).body.error).to.equal(
        'invalid_grant',
      );
      expect((await refresh(configuration, shop, mine.tokens.refresh_token!)).status).to.equal(200);
      const mail = await latchkey.mailWith(email, 'was changed');
      expect(mail.subject).to.contain('password').and.contain('changed');
      const devices = await latchkey.sql(`select 1 from known_devices where user_id = $1`, [userId]);
      expect(devices, 'only this browser is known').to.have.length(1);
      const asked = await latchkey.agent().open(account('/profile'));
      const old = await latchkey
        .agent()
        .submit(asked, { email, password: PASSWORD }, { ending: '/password' });
      expect(old.status).to.be.within(400, 410);
      const anew = latchkey.agent();
      const in2 = await anew.submit(
        await anew.open(account('/profile')),
        { email, password: NEW_PASSWORD },
        { ending: '/password' },
      );
      expect(in2.url).to.equal(account('/profile'));
    });

    it('count wrong current passwords as the sign-in does', async () => {
      const here = await enter();
      const page = await here.open(account('/password'));
      for (let i = 0; i < 5; i += 1)
        await submit(here, page, { current_password: `wrong ${i}`, new_password: NEW_PASSWORD }, '/password');
      const locked = await submit(
        here,
        page,
        { current_password: PASSWORD, new_password: NEW_PASSWORD },
        '/password',
      );
      expect(locked.status).to.equal(400);
      const events = await latchkey.sql(
        `select details ->> 'reason' as reason from audit_events where user_id = $1 and type = 'password.change_refused'`,
        [userId],
      );
      expect(events.map(({ reason }) => reason)).to.have.members([
        ...Array<string>(5).fill('credentials'),
        'locked',
      ]);
    });

    it('remove the password where another way in is left, and set one where there is none', async () => {
      const here = await enter();
      const page = await here.open(account('/password'));
      const gone = await submit(here, page, {}, '/password/remove');
      expect(gone.html).to.contain('Your password is gone').and.contain('You have no password');
      expect((await latchkey.sql(`select 1 from passwords where user_id = $1`, [userId])).length).to.equal(0);
      const set = await submit(here, gone, { new_password: NEW_PASSWORD }, '/password');
      expect(set.html).to.contain('Your password is set');
      expect((await latchkey.mailsTo(email, 2)).map(({ subject }) => subject).join()).to.contain('removed');
      await latchkey.admin('PATCH', '/apps/shop', {
        settings: { methods: { magic_link: false, passkey: false } },
      });
      try {
        const alone = await here.open(account('/password'));
        expect(formsOf(alone).some(({ action }) => action.endsWith('/remove'))).to.equal(false);
        await here.submit(set, {}, { action: account('/password/remove'), ending: '/password' });
        const kept = await latchkey.sql(`select 1 from passwords where user_id = $1`, [userId]);
        expect(kept).to.have.length(1);
      } finally {
        await latchkey.admin('PATCH', '/apps/shop', {
          settings: { methods: { magic_link: true, passkey: true } },
        });
      }
    });

    it('#57 ask whoever signed in long ago to do so before anything is typed', async function () {
      // The row's clock is moved behind the back of the cache, which would still know the old one.
      if (driver === 'redis') this.skip();
      const here = await enter();
      const fresh = await here.open(account('/password'));
      await latchkey.sql(
        `update sessions set payload = jsonb_set(payload, '{loginTs}', to_jsonb((payload ->> 'loginTs')::bigint - 960)) where user_id = $1`,
        [userId],
      );
      const page = await here.open(account('/password'));
      expect(page.html).to.contain('First, sign in once more').and.not.contain('name="new_password"');
      const asked = await submit(
        here,
        fresh,
        { current_password: PASSWORD, new_password: NEW_PASSWORD },
        '/password',
      );
      expect(asked.url).to.contain('/interaction/');
      const proof = await here.open(account('/password/prove'));
      const back = await here.submit(proof, { email, password: PASSWORD }, { ending: '/password' });
      expect(back.url).to.equal(account('/password?done=again'));
      expect(back.html).to.contain('name="new_password"');
    });
  });
}
