import { expect } from 'chai';
import type { Agent } from '../support/agent.ts';
import { drivers, LINK, linkIn, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { type LogoutReceiver, startLogoutReceiver } from '../support/logout-receiver.ts';
import {
  authorizationRequest,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  SIGNED_OUT,
  signedIn,
  type TestClient,
} from '../support/sign-in.ts';
import { signOut } from '../support/sign-out.ts';
import { type Answer, call, introspect, refresh, tokenUrl, userinfo } from '../support/token-calls.ts';

type Held = Awaited<ReturnType<typeof signedIn>>;
type Ending = {
  name: string;
  end(at: { agent: Agent; email: string; userId: string; appId: string }): Promise<unknown>;
};

for (const driver of drivers) {
  describe(`whatever ends a session, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let receiver: LogoutReceiver;
    let apps = 0;

    before(async () => {
      receiver = await startLogoutReceiver();
      latchkey = await startTestLatchkey({ driver, env: { OUTBOUND_ALLOWED_HOSTS: receiver.host } });
    });
    after(async () => {
      await latchkey.stop();
      await receiver.stop();
    });

    /** An app whose client is told of sign-outs, with somebody who is signed in there. */
    async function setUp(): Promise<{ client: TestClient; userId: string; email: string; held: Held }> {
      apps += 1;
      const client = await makeApp(latchkey, `app-${apps}`);
      const changed = await latchkey.admin('PATCH', `/apps/${client.appId}/clients/${client.appId}`, {
        settings: { backchannel_logout_uri: receiver.uri(`/${client.appId}`) },
      });
      expect(changed.status).to.equal(200);
      const email = `ada@app-${apps}.example`;
      const userId = await makeUser(latchkey, client.appId, email);
      const held = await signedIn(latchkey, client, { email, kind: 'own' });
      receiver.received.length = 0;
      return { client, userId, email, held };
    }

    /** What an attacker who copied everything before the end can still do: nothing. */
    async function expectAllDead(client: TestClient, held: Held): Promise<void> {
      const { agent, configuration, tokens } = held;
      const silent = await authorizationRequest(configuration, { prompt: 'none' });
      const answer = await agent.open(silent.url.href);
      expect(new URL(answer.url).searchParams.get('code'), 'the cookie').to.equal(null);
      expect((await refresh(configuration, client, tokens.refresh_token!)).status).to.be.within(400, 401);
      expect((await userinfo(configuration, tokens.access_token)).status).to.equal(401);
      const looked = await introspect(configuration, client, tokens.access_token);
      expect(looked.body.active ?? false, 'introspection').to.equal(false);
    }

    const admin = (method: string, path: string, body?: unknown) =>
      latchkey.admin(method, path, body).then((answer) => {
        expect(answer.status, JSON.stringify(answer.body)).to.be.within(200, 204);
      });
    const user = ({ appId, userId }: { appId: string; userId: string }): string =>
      `/apps/${appId}/users/${userId}`;

    const endings: Ending[] = [
      { name: 'signing out', end: ({ agent, appId }) => signOut(latchkey, agent, appId) },
      {
        name: 'an operator who ends the session',
        async end(at) {
          const listed = await latchkey.admin('GET', `${user(at)}/sessions`);
          await admin('DELETE', `${user(at)}/sessions/${listed.body.items[0].session_id}`);
        },
      },
      { name: 'an operator who ends all sessions', end: (at) => admin('DELETE', `${user(at)}/sessions`) },
      { name: 'disabling the user', end: (at) => admin('PATCH', user(at), { disabled: true }) },
      {
        name: 'a new password from the Admin API',
        end: (at) => admin('PATCH', user(at), { password: 'another battery staple horse' }),
      },
      {
        name: 'a new address from the Admin API',
        end: (at) => admin('PATCH', user(at), { email: `new-${at.email}`, email_verified: true }),
      },
      {
        name: 'a new password by recovery',
        async end({ appId, email }) {
          const elsewhere = latchkey.agent();
          const asked = await elsewhere.open(`${issuerOf(latchkey, appId, 'own')}/account/sessions`);
          const forgot = await elsewhere.open(`${asked.url}/forgot`);
          await elsewhere.submit(forgot, { email }, { ending: '/forgot' });
          const page = await elsewhere.open(linkIn(await latchkey.mailWith(email, LINK)));
          await elsewhere.submit(page, { new_password: 'yet another battery staple' });
        },
      },
      { name: 'deleting the user', end: (at) => admin('DELETE', user(at)) },
    ];

    for (const { name, end } of endings) {
      it(`#36 #22 ${name} ends cookie, refresh and access tokens at once, and tells the client once`, async () => {
        const { client, userId, email, held } = await setUp();
        const copy = await copyOf(held.agent);
        await end({ agent: held.agent, email, userId, appId: client.appId });
        await expectAllDead(client, { ...held, agent: copy });
        const [told] = await receiver.wait(1);
        expect(told!.path).to.equal(`/${client.appId}`);
        expect(told!.claims.sub).to.equal(userId);
        expect(told!.claims['sid']).to.equal(held.tokens.claims()!['sid']);
        expect(await pending(), 'nothing more to be told').to.equal(0);
        expect(receiver.received).to.have.length(1);
      });
    }

    it('#36 deleting the app ends cookie, refresh and access tokens at once', async () => {
      const { client, held } = await setUp();
      await admin('DELETE', `/apps/${client.appId}?confirm=${client.appId}`);
      const { agent, configuration, tokens } = held;
      const request = await authorizationRequest(configuration);
      expect((await agent.open(request.url.href)).status).to.equal(404);
      expect((await refresh(configuration, client, tokens.refresh_token!)).status).to.be.within(400, 404);
      expect((await userinfo(configuration, tokens.access_token)).status).to.be.within(401, 404);
    });

    it('#22 taking a grant away ends its tokens and leaves the session', async () => {
      const { client, userId, held } = await setUp();
      const at = { appId: client.appId, userId };
      const listed = await latchkey.admin('GET', `${user(at)}/grants`);
      await admin('DELETE', `${user(at)}/grants/${listed.body.items[0].grant_id}`);
      const { agent, configuration, tokens } = held;
      expect((await refresh(configuration, client, tokens.refresh_token!)).body.error).to.equal(
        'invalid_grant',
      );
      expect((await userinfo(configuration, tokens.access_token)).status).to.equal(401);
      const silent = await authorizationRequest(configuration, { prompt: 'none' });
      expect(new URL((await agent.open(silent.url.href)).url).searchParams.get('code')).to.be.a('string');
    });

    it('#22 refresh tokens have an absolute end, whatever is done to renew them', async () => {
      const { client, held } = await setUp();
      await admin('PATCH', `/apps/${client.appId}`, { settings: { refresh_absolute_ttl: 100 } });
      const fresh = await signedIn(latchkey, client, {
        email: held.tokens ? `ada@${client.appId}.example` : '',
      });
      const first = await refresh(fresh.configuration, client, fresh.tokens.refresh_token!);
      const rows = await latchkey.sql(
        `select extract(epoch from expires_at - created_at)::int as life from refresh_tokens where app_id = $1 order by created_at desc limit 1`,
        [client.appId],
      );
      expect(rows[0]!['life']).to.be.at.most(100);
      await latchkey.sql(
        `update refresh_tokens set expires_at = now() - interval '1 second' where app_id = $1`,
        [client.appId],
      );
      if (driver === 'postgres')
        expect((await refresh(fresh.configuration, client, first.body.refresh_token)).body.error).to.equal(
          'invalid_grant',
        );
    });

    it('#37 idle and absolute limits are kept by the server', async function () {
      // With Redis a fill lives as long as the session it was made of; moving the row's clock behind it proves nothing.
      if (driver === 'redis') this.skip();
      for (const set of [
        `expires_at = now() - interval '1 second'`,
        `expires_at = now() - interval '1 second', absolute_expires_at = now() - interval '1 second'`,
      ]) {
        const { client, held } = await setUp();
        await latchkey.sql(`update sessions set ${set} where app_id = $1`, [client.appId]);
        const silent = await authorizationRequest(held.configuration, { prompt: 'none' });
        const answer = new URL((await held.agent.open(silent.url.href)).url);
        expect(answer.searchParams.get('error')).to.equal('login_required');
      }
    });

    it('#37 use moves the idle limit, and never past the absolute one', async function () {
      if (driver === 'redis') this.skip();
      const { client, held } = await setUp();
      const use = async (): Promise<{ idle: number; absolute: number }> => {
        await latchkey.sql(
          `update sessions set touched_at = now() - interval '2 minutes' where app_id = $1`,
          [client.appId],
        );
        const silent = await authorizationRequest(held.configuration, { prompt: 'none' });
        expect((await held.agent.open(silent.url.href)).url).to.contain('code=');
        const [row] = await latchkey.sql(
          `select extract(epoch from expires_at - now())::int as idle, extract(epoch from absolute_expires_at - now())::int as absolute from sessions where app_id = $1`,
          [client.appId],
        );
        return row as { idle: number; absolute: number };
      };
      await latchkey.sql(`update sessions set expires_at = now() + interval '1 minute' where app_id = $1`, [
        client.appId,
      ]);
      expect((await use()).idle).to.be.within(11 * 3600, 12 * 3600);
      await latchkey.sql(
        `update sessions set absolute_expires_at = now() + interval '10 minutes' where app_id = $1`,
        [client.appId],
      );
      expect((await use()).idle).to.be.at.most(600);
    });

    it('#15 an address to return to is taken only as registered, and only with its client', async () => {
      const { client, held } = await setUp();
      const end = `${issuerOf(latchkey, client.appId, 'own')}/logout`;
      for (const uri of [
        'https://evil.test/',
        `${SIGNED_OUT}/`,
        `${SIGNED_OUT}?x=1`,
        SIGNED_OUT.toUpperCase(),
      ]) {
        const query = new URLSearchParams({ client_id: client.clientId, post_logout_redirect_uri: uri });
        expect((await held.agent.open(`${end}?${query}`)).status, uri).to.equal(400);
      }
      const anonymous = await held.agent.open(
        `${end}?${new URLSearchParams({ post_logout_redirect_uri: 'https://evil.test/' })}`,
      );
      expect(anonymous.status).to.equal(200);
      expect(anonymous.headers.get('content-security-policy')).to.not.contain('evil.test');
      const left = await held.agent.submit(anonymous, { logout: 'yes' }, { ending: '/logout/confirm' });
      expect(new URL(left.url).origin).to.equal(latchkey.baseUrl);
    });

    it('#15 asks before it signs out, also with a hint, and takes no answer from elsewhere', async () => {
      const { client, held } = await setUp();
      const end = `${issuerOf(latchkey, client.appId, 'own')}/logout`;
      const page = await held.agent.open(
        `${end}?${new URLSearchParams({ id_token_hint: held.tokens.id_token! })}`,
      );
      expect(page.html).to.contain('name="logout"');
      for (const form of [
        { logout: 'yes' },
        { logout: 'yes', xsrf: 'guess' },
        { logout: 'everything', xsrf: '' },
      ]) {
        const refused = await held.agent.open(`${end}/confirm`, {
          method: 'POST',
          headers: { origin: latchkey.baseUrl },
          body: new URLSearchParams(form),
        });
        expect(refused.status).to.equal(400);
      }
      const silent = await authorizationRequest(held.configuration, { prompt: 'none' });
      expect((await held.agent.open(silent.url.href)).url).to.contain('code=');
    });

    it('#35 the id of a session changes at sign-in and at step-up, and one that was planted is never taken', async () => {
      const { client, email } = await setUp();
      const agent = latchkey.agent();
      const name = `lk_ses.${client.appId}`;
      agent.setCookie(name, 'planted-planted-planted-planted');
      agent.setCookie(`${name}.sig`, 'planted');
      const { configuration } = await signedIn(latchkey, client, { email, kind: 'own', agent });
      const first = agent.cookie(name);
      expect(first).to.not.equal('planted-planted-planted-planted');
      const request = await authorizationRequest(configuration, { prompt: 'login' });
      const asked = await agent.open(request.url.href);
      await agent.submit(asked, { email, password: PASSWORD }, { ending: '/password' });
      expect(agent.cookie(name)).to.not.equal(first);
      const old = latchkey.agent();
      old.setCookie(name, first!);
      old.setCookie(`${name}.sig`, agent.cookie(`${name}.sig`)!);
      const silent = await authorizationRequest(configuration, { prompt: 'none' });
      expect(new URL((await old.open(silent.url.href)).url).searchParams.get('error')).to.equal(
        'login_required',
      );
    });

    it('sign-out says what stays connected, and ends that too when asked', async () => {
      const { client, email, held } = await setUp();
      const made = await latchkey.admin('POST', `/apps/${client.appId}/clients`, {
        name: 'Phone <app>',
        type: 'native',
        redirect_uris: ['http://localhost:1/callback'],
      });
      const phone = { appId: client.appId, clientId: made.body.client_id, secret: undefined };
      const end = `${issuerOf(latchkey, client.appId, 'own')}/logout`;
      expect((await held.agent.open(end)).html).to.not.contain('everything');
      const offline = await signedIn(latchkey, phone, { email, kind: 'own', agent: held.agent });
      const page = await held.agent.open(end);
      expect(page.html).to.contain('Phone &lt;app&gt;').and.contain('value="everything"');
      await held.agent.submit(page, { logout: 'yes' }, { ending: '/logout/confirm' });
      const still = await refreshPublic(offline, phone, offline.tokens.refresh_token!);
      expect(still.status, 'what was not asked for stays').to.equal(200);
      const again = await signedIn(latchkey, client, { email, kind: 'own', agent: held.agent });
      await again.agent.submit(
        await again.agent.open(end),
        { logout: 'everything' },
        { ending: '/logout/confirm' },
      );
      const dead = await refreshPublic(offline, phone, still.body.refresh_token);
      expect(dead.body.error).to.equal('invalid_grant');
      await expectAllDead(client, again);
    });

    async function pending(): Promise<number> {
      const [row] = await latchkey.sql(
        `select count(*)::int as count from jobs where kind = 'logout-token' and failed_at is null and attempts = 0`,
      );
      return row!['count'];
    }

    async function copyOf(agent: Agent): Promise<Agent> {
      const copy = latchkey.agent();
      for (const name of agent.cookieNames().filter((one) => one.startsWith('lk_ses')))
        copy.setCookie(name, agent.cookie(name)!);
      return copy;
    }
  });
}

const refreshPublic = (held: Held, client: TestClient, refreshToken: string): Promise<Answer> =>
  call(tokenUrl(held.configuration), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: client.clientId,
    }),
  });
