import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { endExpiredSessions } from '../../src/users/logout/end-expired.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { type LogoutReceiver, type Received, startLogoutReceiver } from '../support/logout-receiver.ts';
import { issuerOf, makeApp, makeUser, PASSWORD, signedIn, type TestClient } from '../support/sign-in.ts';
import { atOnce, refresh, userinfo } from '../support/token-calls.ts';
import { signOut } from '../support/sign-out.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

for (const driver of drivers) {
  describe(`back-channel logout, on ${driver}`, () => {
    const key = randomBytes(32);
    let latchkey: TestLatchkey;
    let receiver: LogoutReceiver;
    let shop: TestClient;
    let forum: TestClient;
    let quiet: TestClient;
    let userId: string;
    const email = 'ada@example.com';

    before(async () => {
      receiver = await startLogoutReceiver();
      latchkey = await startTestLatchkey({
        driver,
        env: { OUTBOUND_ALLOWED_HOSTS: receiver.host, ENCRYPTION_KEYS: key.toString('base64url') },
      });
      shop = await makeApp(latchkey, 'shop');
      await listening(shop, '/shop');
      forum = await makeClient('Forum', '/forum');
      quiet = await makeClient('Quiet', undefined);
      userId = await makeUser(latchkey, 'shop', email);
      await makeApp(latchkey, 'other');
      await listening({ appId: 'other', clientId: 'other', secret: undefined }, '/other');
      await makeUser(latchkey, 'other', email);
    });
    after(async () => {
      await latchkey.stop();
      await receiver.stop();
    });
    beforeEach(() => {
      receiver.received.length = 0;
      receiver.answers.length = 0;
    });

    async function listening(client: TestClient, path: string): Promise<void> {
      const changed = await latchkey.admin('PATCH', `/apps/${client.appId}/clients/${client.clientId}`, {
        settings: { backchannel_logout_uri: receiver.uri(path) },
      });
      expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
    }

    async function makeClient(name: string, path: string | undefined): Promise<TestClient> {
      const made = await latchkey.admin('POST', '/apps/shop/clients', {
        name,
        type: 'web',
        redirect_uris: ['http://localhost:1/callback'],
        settings: path === undefined ? {} : { backchannel_logout_uri: receiver.uri(path) },
      });
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    }

    /** A while in which a token too many would have come: nothing is left in the outbox. */
    async function settled(): Promise<Received[]> {
      for (;;) {
        const [{ count }] = (await latchkey.sql(
          `select count(*)::int from jobs where kind = 'logout-token' and failed_at is null`,
        )) as [{ count: number }];
        if (count === 0) return receiver.received;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }

    const told = (received: Received[]): string[] =>
      received.map(({ path, claims }) => `${path} ${claims.iss}`).toSorted();

    const expireNow = (): Promise<number> =>
      endExpiredSessions(latchkey.latchkey.stores.operatorDb, { rootKeys: [key], wake: () => {} });

    it('tells each client once for each issuer it was used at, and nobody else', async () => {
      const { agent, tokens } = await signedIn(latchkey, shop, { email, kind: 'own' });
      await signedIn(latchkey, shop, { email, kind: 'shared', agent });
      await signedIn(latchkey, forum, { email, kind: 'shared', agent });
      await signedIn(latchkey, forum, { email, kind: 'shared', agent });
      await signedIn(latchkey, quiet, { email, kind: 'own', agent });
      await signedIn(
        latchkey,
        { appId: 'other', clientId: 'other', secret: undefined },
        { email, agent },
      ).catch(() => {});
      await signOut(latchkey, agent, 'shop');
      await receiver.wait(3);
      const [own, shared] = [issuerOf(latchkey, 'shop', 'own'), issuerOf(latchkey, 'shop', 'shared')];
      expect(told(await settled())).to.deep.equal(
        [`/forum ${shared}`, `/shop ${own}`, `/shop ${shared}`].toSorted(),
      );
      for (const { claims, form, header, headers, method, token } of receiver.received) {
        expect(method).to.equal('POST');
        expect(headers['content-type']).to.equal('application/x-www-form-urlencoded');
        expect([...form.keys()]).to.deep.equal(['logout_token']);
        expect(header).to.include({ typ: 'logout+jwt', alg: 'RS256' });
        expect(Object.keys(claims).toSorted()).to.deep.equal(
          ['aud', 'events', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub'].toSorted(),
        );
        expect(claims['events']).to.deep.equal({ [EVENT]: {} });
        expect(claims.sub).to.equal(userId);
        expect(claims.exp! - claims.iat!).to.be.within(1, 120);
        const keys = createRemoteJWKSet(new URL(`${claims.iss}/.well-known/jwks.json`));
        await jwtVerify(token, keys, {
          issuer: claims.iss!,
          audience: claims.aud as string,
          typ: 'logout+jwt',
        });
      }
      expect(new Set(receiver.received.map(({ claims }) => claims.jti)).size).to.equal(3);
      const mine = receiver.received.filter(({ path }) => path === '/shop');
      for (const { claims } of mine) expect(claims['sid']).to.equal(tokens.claims()!['sid']);
    });

    it('tells nobody of a visit to the account pages, of which no client has heard', async () => {
      const agent = latchkey.agent();
      const own = issuerOf(latchkey, 'shop', 'own');
      // Whoever is used in that session beside them is told, the app itself too.
      for (const [client, path] of [
        [forum, '/forum'],
        [shop, '/shop'],
      ] as const) {
        receiver.received.length = 0;
        const asked = await agent.open(`${own}/account/sessions`);
        const page = await agent.submit(asked, { email, password: PASSWORD }, { ending: '/password' });
        expect(page.url).to.equal(`${own}/account/sessions`);
        await signedIn(latchkey, client, { agent, email, kind: 'own' });
        await signOut(latchkey, agent, 'shop');
        await receiver.wait(1);
        expect(told(await settled())).to.deep.equal([`${path} ${own}`]);
      }
    });

    it('names the session in ID tokens of exactly the clients with a logout URI, refreshed ones too', async () => {
      const { agent, configuration, tokens } = await signedIn(latchkey, forum, { email });
      expect(tokens.claims()!['sid']).to.be.a('string');
      const again = await refresh(configuration, forum, tokens.refresh_token!);
      const claims = JSON.parse(Buffer.from(again.body.id_token.split('.')[1], 'base64url').toString());
      expect(claims.sid).to.equal(tokens.claims()!['sid']);
      const other = await signedIn(latchkey, quiet, { email, agent });
      expect(other.tokens.claims()!).to.not.have.property('sid');
    });

    it('tells each client once when sixteen endings come at once', async () => {
      const { agent } = await signedIn(latchkey, shop, { email, kind: 'own' });
      await signedIn(latchkey, forum, { email, kind: 'own', agent });
      const ended = await atOnce(16, () => latchkey.admin('DELETE', `/apps/shop/users/${userId}/sessions`));
      expect(ended.every(({ status }) => status === 204)).to.equal(true);
      await receiver.wait(2);
      const [{ count }] = (await latchkey.sql(
        `select count(*)::int from sessions where ended_at is null and app_id = 'shop'`,
      )) as [{ count: number }];
      expect(count).to.equal(0);
      const own = issuerOf(latchkey, 'shop', 'own');
      const mine = (await settled()).filter(({ claims }) => claims.iss === own);
      expect(told(mine)).to.deep.equal([`/forum ${own}`, `/shop ${own}`]);
    });

    it('#37 tells clients of a session that ran into its idle or absolute limit, once, whoever sweeps', async () => {
      for (const column of ['expires_at', 'absolute_expires_at, expires_at'] as const) {
        await signedIn(latchkey, shop, { email, kind: 'own' });
        const set = column.split(', ').map((name) => `${name} = now() - interval '1 second'`);
        await latchkey.sql(
          `update sessions set ${set.join(', ')} where ended_at is null and app_id = 'shop'`,
        );
        const found = await atOnce(4, expireNow);
        expect(found.reduce((sum, one) => sum + one)).to.be.at.least(1);
        await receiver.wait(1);
        expect(told(await settled())).to.deep.equal([`/shop ${issuerOf(latchkey, 'shop', 'own')}`]);
        expect(await expireNow()).to.equal(0);
        receiver.received.length = 0;
      }
    });

    it('tries again after a failure or a redirect, with a token made anew under the same jti', async () => {
      receiver.answers.push(500, 302);
      const { agent } = await signedIn(latchkey, shop, { email, kind: 'own' });
      await signOut(latchkey, agent, 'shop');
      for (const attempts of [1, 2]) {
        await receiver.wait(attempts);
        // Its failure has been written down, so nothing of that try moves the clock again.
        await waitFor(async () => {
          const rows = await latchkey.sql(
            `update jobs set run_at = now(), last_error = null where kind = 'logout-token' and attempts = ${attempts} and last_error is not null returning 1`,
          );
          return rows.length === 1;
        });
      }
      const received = await receiver.wait(3);
      await settled();
      expect(new Set(received.map(({ claims }) => claims.jti)).size).to.equal(1);
      expect(received.every(({ path }) => path === '/shop')).to.equal(true);
      const trail = await events('backchannel_logout.delivered');
      expect(trail[0].details).to.include({ tries: 3, why: 'signed_out' });
    });

    it('gives up after eight tries and says so in the audit trail', async () => {
      receiver.answers.push(500);
      const { agent } = await signedIn(latchkey, shop, { email, kind: 'own' });
      await signOut(latchkey, agent, 'shop');
      await receiver.wait(1);
      await waitFor(async () => {
        const rows = await latchkey.sql(
          `update jobs set run_at = now(), attempts = 7, last_error = null where kind = 'logout-token' and last_error is not null returning 1`,
        );
        return rows.length === 1;
      });
      receiver.answers.push(500);
      await receiver.wait(2);
      await waitFor(async () => (await events('backchannel_logout.failed')).length === 1);
      await waitFor(
        async () =>
          (
            await latchkey.sql(
              `select 1 from jobs where kind = 'logout-token' and attempts = 8 and failed_at is not null`,
            )
          )[0] !== undefined,
      );
      await latchkey.sql(`delete from jobs where kind = 'logout-token'`);
    });

    it('tells the client whose refresh token was used twice, and leaves the session to the others', async () => {
      const { agent, configuration, tokens } = await signedIn(latchkey, shop, { email, kind: 'own' });
      await signedIn(latchkey, forum, { email, kind: 'own', agent });
      const first = await refresh(configuration, shop, tokens.refresh_token!);
      await refresh(configuration, shop, first.body.refresh_token);
      const reused = await refresh(configuration, shop, tokens.refresh_token!);
      expect(reused.body.error).to.equal('invalid_grant');
      await receiver.wait(1);
      expect(told(await settled())).to.deep.equal([`/shop ${issuerOf(latchkey, 'shop', 'own')}`]);
      const still = await signedIn(latchkey, forum, {
        email,
        kind: 'own',
        agent,
        parameters: { prompt: 'none' },
      });
      expect(still.tokens.claims()!.sub).to.equal(userId);
    });

    it('#25 takes a logout token for nothing else: no hint of who signs out, no access token', async () => {
      const { agent, configuration, tokens } = await signedIn(latchkey, shop, { email, kind: 'own' });
      const second = latchkey.agent();
      await signedIn(latchkey, shop, { email, kind: 'own', agent: second });
      await signOut(latchkey, agent, 'shop');
      const [{ token }] = (await receiver.wait(1)) as [Received];
      expect((await userinfo(configuration, token)).status).to.equal(401);
      for (const kind of ['own', 'shared'] as const) {
        const page = await second.open(
          `${issuerOf(latchkey, 'shop', kind)}/logout?${new URLSearchParams({ id_token_hint: token })}`,
        );
        expect(page.status, kind).to.equal(400);
        const access = await second.open(
          `${issuerOf(latchkey, 'shop', kind)}/logout?${new URLSearchParams({ id_token_hint: tokens.access_token })}`,
        );
        expect(access.status, `access token, ${kind}`).to.equal(400);
      }
      const authorize = new URL(`${issuerOf(latchkey, 'shop', 'own')}/authorize`);
      authorize.search = new URLSearchParams({
        client_id: 'shop',
        redirect_uri: 'http://localhost:1/callback',
        response_type: 'code',
        scope: 'openid',
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
        prompt: 'none',
        id_token_hint: token,
      }).toString();
      const answer = new URL((await second.open(authorize.href)).url);
      expect(answer.searchParams.get('error'), answer.href).to.equal('invalid_request');
      authorize.searchParams.set('id_token_hint', tokens.id_token!);
      const fine = new URL((await second.open(authorize.href)).url);
      expect(fine.searchParams.get('code'), fine.href).to.be.a('string');
    });

    it('publishes that it does this, at both issuers', async () => {
      for (const kind of ['own', 'shared'] as const) {
        const metadata = await fetch(`${issuerOf(latchkey, 'shop', kind)}/.well-known/openid-configuration`);
        expect(await metadata.json()).to.include({
          backchannel_logout_supported: true,
          backchannel_logout_session_supported: true,
        });
      }
    });

    it('takes only https for a logout URI, and none for a service account', async () => {
      for (const uri of [
        'http://shop.example/out',
        'https://u@shop.example/',
        'ftp://x/',
        'https://a.example/#x',
        'nonsense',
      ]) {
        const refused = await latchkey.admin('PATCH', '/apps/shop/clients/shop', {
          settings: { backchannel_logout_uri: uri },
        });
        expect(refused.status, uri).to.equal(400);
        expect(refused.body.field).to.equal('settings.backchannel_logout_uri');
      }
      const service = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Job',
        type: 'service',
        settings: { backchannel_logout_uri: 'https://job.example/' },
      });
      expect(service.status).to.equal(400);
    });

    async function events(type: string): Promise<any[]> {
      return latchkey.sql(`select * from audit_events where type = $1 order by event_id desc`, [type]);
    }
  });
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
