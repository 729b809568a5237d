import { expect } from 'chai';
import { decodeJwt } from 'jose';
import * as oidc from 'openid-client';
import { type Agent, formsOf, type Page } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { discover, makeApp, makeUser, PASSWORD, REDIRECT, type TestClient } from '../support/sign-in.ts';
import { digestOf } from '../../src/kernel/secret.ts';
import { type Answer, call, userinfo } from '../support/token-calls.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const EMAIL = 'ada@example.com';

for (const driver of drivers) {
  describe(`device authorization (RFC 8628), on ${driver}`, function () {
    this.timeout(120_000);
    let latchkey: TestLatchkey;
    let tv: TestClient;
    let guest: TestClient;

    const addClient = async (body: object): Promise<TestClient> => {
      const made = await latchkey.admin('POST', '/apps/shop/clients', body);
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    };
    const on = { settings: { features: { device_authorization: true } } };

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      await makeApp(latchkey, 'shop', on);
      await makeApp(latchkey, 'books', on);
      await makeUser(latchkey, 'shop', EMAIL);
      const native = { type: 'native', redirect_uris: ['http://127.0.0.1/cb'] };
      tv = await addClient({ ...native, name: 'Shop TV', settings: { device_authorization: true } });
      guest = await addClient({
        ...native,
        name: 'Partner box',
        settings: { device_authorization: true, first_party: false },
      });
    });
    after(() => latchkey.stop());
    // Everything here comes from one network, which may only type so many codes.
    beforeEach(() => forgetTries(latchkey));

    const signIn = (agent: Agent, page: Page): Promise<Page> =>
      agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    const typeCode = async (agent: Agent, uri: string, code: string): Promise<Page> =>
      agent.submit(await agent.open(uri), { user_code: code });

    for (const kind of ['own', 'shared'] as const) {
      const at = kind === 'own' ? '/auth/shop' : '';

      it(`signs a device in with an unmodified client (${kind} issuer)`, async () => {
        const configuration = await discover(latchkey, tv, kind);
        const asked = await oidc.initiateDeviceAuthorization(configuration, {
          scope: 'openid email offline_access',
        });
        expect(asked.user_code).to.match(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
        expect(asked.verification_uri).to.equal(`${latchkey.baseUrl}${at}/device`);
        expect([asked.expires_in, asked.interval]).to.deep.equal([600, 5]);
        const agent = latchkey.agent();
        // The link fills the field and does nothing more, however often it is opened.
        const entry = await agent.open(asked.verification_uri_complete!);
        expect(formsOf(entry).at(-1)!.fields['user_code']).to.equal(asked.user_code);
        expect(entry.html).not.to.match(/<script(?![^>]*latchkey)/);
        let page = await agent.submit(entry, {});
        // At the shared issuer the neutral page leads to the app's own.
        if (kind === 'shared') {
          expect(entry.html).not.to.include('SHOP');
          expect(page.html).to.include('SHOP');
          page = await agent.submit(page, {});
        }
        const confirm = await signIn(agent, page);
        for (const shown of ['SHOP', 'Shop TV', EMAIL, asked.user_code, '127.0.0.1'])
          expect(confirm.html, shown).to.include(shown);
        const done = await agent.submit(confirm, { decision: 'allow' }, { ending: '/device' });
        expect([done.status, done.url.replace(/[^/]+$/, '')]).to.deep.equal([
          200,
          `${latchkey.baseUrl}${at}/device/`,
        ]);
        expect(done.html).to.include('Your device is connected');
        const tokens = await oidc.pollDeviceAuthorizationGrant(configuration, { ...asked, interval: 0 });
        expect(decodeJwt(tokens.access_token)).to.include({ aud: 'shop', client_id: tv.clientId });
        expect(tokens.claims()!.sub).to.equal(decodeJwt(tokens.access_token).sub);
        expect((await userinfo(configuration, tokens.access_token)).body.email).to.equal(EMAIL);
        const later = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
        expect(later.access_token).to.be.a('string');
      });

      it(`gives nothing to the device when the person refuses (${kind} issuer)`, async () => {
        const { poll, asked } = await begin(latchkey, tv, at);
        const agent = latchkey.agent();
        const confirm = await signIn(agent, await typeCode(agent, appPage(latchkey, at), asked.user_code));
        const denied = await agent.submit(confirm, { decision: 'deny' }, { ending: '/device' });
        expect(denied.html).to.include('Refused');
        const answer = await poll();
        expect([answer.status, answer.body.error]).to.deep.equal([400, 'access_denied']);
      });

      it(`does not know a code of the other issuer (${kind} issuer)`, async () => {
        const { asked } = await begin(latchkey, tv, at);
        const other = kind === 'own' ? '' : '/auth/shop';
        const agent = latchkey.agent();
        const page = await typeCode(agent, appPage(latchkey, other), asked.user_code);
        expect(page.html).to.include('That code does not work');
        const refused = await pollAt(latchkey, tv, other, asked.device_code);
        expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_grant']);
      });
    }

    it('leads a code typed at the deployment’s page to its app, also one of an own issuer', async () => {
      const { asked } = await begin(latchkey, tv, '/auth/shop');
      const agent = latchkey.agent();
      const page = await typeCode(agent, `${latchkey.baseUrl}/device`, asked.user_code.toLowerCase());
      expect(page.url).to.match(/\/auth\/shop\/device\?/);
      expect((await agent.submit(page, {})).url).to.include('/auth/shop/interaction/');
    });

    it('asks a third-party device’s person for consent too', async () => {
      const { poll, asked } = await begin(latchkey, guest, '/auth/shop');
      const agent = latchkey.agent();
      const confirm = await signIn(agent, await typeCode(agent, asked.verification_uri, asked.user_code));
      const consent = await agent.submit(confirm, { decision: 'allow' }, { ending: '/device' });
      expect(consent.html).to.include('Allow access to your account?');
      expect((await poll()).body.error).to.equal('authorization_pending');
      const done = await agent.submit(consent, { decision: 'allow' }, { ending: '/consent' });
      expect(done.html).to.include('Your device is connected');
      expect((await poll()).status).to.equal(200);
    });

    it('asks again at every device of somebody who is signed in already', async () => {
      const agent = latchkey.agent();
      for (let i = 0; i < 2; i += 1) {
        const { asked, poll } = await begin(latchkey, tv, '/auth/shop');
        const page = await typeCode(agent, asked.verification_uri, asked.user_code);
        const confirm = i === 0 ? await signIn(agent, page) : page;
        expect(confirm.html).to.include(asked.user_code);
        expect((await poll()).body.error).to.equal('authorization_pending');
      }
    });

    it('shows unknown, used, refused and expired codes alike', async () => {
      const used = await begin(latchkey, tv, '/auth/shop');
      const agent = latchkey.agent();
      const confirm = await signIn(
        agent,
        await typeCode(agent, used.asked.verification_uri, used.asked.user_code),
      );
      await agent.submit(confirm, { decision: 'allow' }, { ending: '/device' });
      const pages = [];
      for (const code of [used.asked.user_code, 'BCDF-GHJK', 'x', '']) {
        const stranger = latchkey.agent();
        const page = await typeCode(stranger, used.asked.verification_uri, code);
        pages.push([page.status, withoutNonces(page.html)]);
      }
      for (const page of pages) expect(page).to.deep.equal(pages[0]);
      expect(pages[0]![1]).to.include('That code does not work');
    });

    it('gives a form that works to somebody whose form was left open for too long', async () => {
      const { asked } = await begin(latchkey, tv, '/auth/shop');
      const [late, elsewhere] = [latchkey.agent(), latchkey.agent()];
      // A browser without the cookie that the form was given with.
      const again = await late.submit(await elsewhere.open(appPage(latchkey, '/auth/shop')), {
        user_code: asked.user_code,
      });
      expect(again.status).to.equal(400);
      const page = await late.submit(again, { user_code: asked.user_code });
      expect(page.url).to.include('/auth/shop/interaction/');
    });

    it('is not refused by a stranger who guesses the code', async () => {
      const { asked, poll } = await begin(latchkey, tv, '/auth/shop');
      const stranger = latchkey.agent();
      const entry = await stranger.open(asked.verification_uri);
      await stranger.submit(entry, { user_code: asked.user_code, abort: 'yes' });
      expect((await poll()).body.error).to.equal('authorization_pending');
    });

    it('#49 counts the codes that one network types, many at once as many in turn', async () => {
      const entries = [];
      for (let i = 0; i < 70; i += 1) {
        const agent = latchkey.agent();
        entries.push({ agent, entry: await agent.open(`${latchkey.baseUrl}/auth/shop/device`) });
      }
      const tries = await Promise.all(
        entries.map(({ agent, entry }) => agent.submit(entry, { user_code: 'BCDF-GHJK' })),
      );
      expect(tries.filter(({ status }) => status === 400)).to.have.length(60);
      expect(tries.filter(({ status }) => status === 429)).to.have.length(10);
      // The deployment's own page counts with them, and a right code is then worth no more than a wrong one.
      const { asked } = await begin(latchkey, tv, '/auth/shop');
      expect((await typeCode(latchkey.agent(), `${latchkey.baseUrl}/device`, 'BCDF-GHJK')).status).to.equal(
        429,
      );
      expect((await typeCode(latchkey.agent(), asked.verification_uri, asked.user_code)).status).to.equal(
        429,
      );
    });

    it('#49 counts the codes that are typed in one session', async () => {
      const agent = latchkey.agent();
      let page = await agent.open(`${latchkey.baseUrl}/auth/shop/device`);
      const statuses = [];
      for (let i = 0; i < 12; i += 1) {
        page = await agent.submit(page, { user_code: 'BCDF-GHJK' });
        statuses.push(page.status);
      }
      expect(statuses).to.deep.equal([...Array(10).fill(400), 429, 429]);
    });

    it('tells a device that asks too often to slow down, and each time to wait longer', async () => {
      const { poll, asked } = await begin(latchkey, tv, '/auth/shop');
      expect((await poll()).body.error).to.equal('authorization_pending');
      const impatient = await poll();
      expect([impatient.status, impatient.body.error]).to.deep.equal([400, 'slow_down']);
      // Another client learns nothing about the code, nor does it hold up its device.
      const foreign = await pollAt(latchkey, guest, '/auth/shop', asked.device_code);
      expect([foreign.status, foreign.body.error]).to.deep.equal([400, 'invalid_grant']);
    });

    it('tells the device when its code has expired', async () => {
      await latchkey.admin('PATCH', '/apps/shop', { settings: { device_code_ttl: 2 } });
      try {
        const { poll, asked } = await begin(latchkey, tv, '/auth/shop');
        expect(asked.expires_in).to.equal(2);
        await new Promise((resolve) => setTimeout(resolve, 3500));
        const answer = await poll();
        expect([answer.status, answer.body.error]).to.deep.equal([400, 'expired_token']);
        const page = await typeCode(latchkey.agent(), asked.verification_uri, asked.user_code);
        expect(page.html).to.include('That code does not work');
      } finally {
        await latchkey.admin('PATCH', '/apps/shop', { settings: { device_code_ttl: 600 } });
      }
    });

    it('is connected by one of sixteen people who confirm at once, and works for that one', async () => {
      const { poll, asked } = await begin(latchkey, tv, '/auth/shop');
      const waiting = [];
      for (let i = 0; i < 16; i += 1) {
        await forgetTries(latchkey);
        const agent = latchkey.agent();
        const page = await typeCode(agent, asked.verification_uri, asked.user_code);
        waiting.push({ agent, confirm: await signIn(agent, page) });
      }
      const ends = await Promise.all(
        waiting.map(({ agent, confirm }) =>
          agent.submit(confirm, { decision: 'allow' }, { ending: '/device' }),
        ),
      );
      expect(ends.filter(({ html }) => html.includes('Your device is connected'))).to.have.length(1);
      expect(ends.filter(({ status }) => status >= 500)).to.deep.equal([]);
      const given = await poll();
      expect(given.status, given.text).to.equal(200);
      const configuration = await discover(latchkey, tv, 'own');
      expect((await userinfo(configuration, given.body.access_token)).status).to.equal(200);
    });

    it('gives tokens to one of sixteen requests at once, and those work', async () => {
      const { poll, asked } = await begin(latchkey, tv, '/auth/shop');
      const agent = latchkey.agent();
      const confirm = await signIn(agent, await typeCode(agent, asked.verification_uri, asked.user_code));
      await agent.submit(confirm, { decision: 'allow' }, { ending: '/device' });
      const answers = await Promise.all(Array.from({ length: 16 }, () => poll()));
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const lost of answers.filter((answer) => answer !== won[0]))
        expect([lost.status, lost.body.error]).to.deep.equal([400, 'invalid_grant']);
      const configuration = await discover(latchkey, tv, 'own');
      expect((await userinfo(configuration, won[0]!.body.access_token)).status).to.equal(200);
      const later = await call(`${latchkey.baseUrl}/auth/shop/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: tv.clientId,
          refresh_token: won[0]!.body.refresh_token,
        }),
      });
      expect(later.status, later.text).to.equal(200);
    });

    if (driver === 'postgres')
      it('keeps neither code where it could be read', async () => {
        const { asked } = await begin(latchkey, tv, '/auth/shop');
        const agent = latchkey.agent();
        await signIn(agent, await typeCode(agent, asked.verification_uri, asked.user_code));
        const rows = JSON.stringify(await latchkey.sql('select key, value from ephemeral'));
        for (const secret of [asked.device_code, asked.user_code, asked.user_code.replace('-', '')])
          expect(rows.includes(secret), secret).to.equal(false);
      });

    it('is for clients and apps that have it switched on, and for no other app', async () => {
      const plain = await addClient({
        name: 'Plain',
        type: 'native',
        redirect_uris: ['http://127.0.0.1/cb'],
      });
      const refused = await ask(latchkey, plain, '/auth/shop');
      expect(refused.status).to.equal(400);
      const web = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Web',
        type: 'web',
        redirect_uris: [REDIRECT],
        settings: { device_authorization: true },
      });
      expect([web.status, web.body.code]).to.deep.equal([400, 'clients.not_for_type']);
      expect((await ask(latchkey, tv, '/auth/books')).status).to.equal(401);
      const { asked } = await begin(latchkey, tv, '/auth/shop');
      const page = await typeCode(latchkey.agent(), `${latchkey.baseUrl}/auth/books/device`, asked.user_code);
      expect(page.html).to.include('That code does not work');
      await makeApp(latchkey, 'still');
      expect((await latchkey.agent().open('/auth/still/device')).status).to.equal(404);
      const metadata = await call(`${latchkey.baseUrl}/auth/still/.well-known/openid-configuration`);
      expect(metadata.body.grant_types_supported).not.to.include(GRANT);
      const shared = await call(`${latchkey.baseUrl}/.well-known/openid-configuration`);
      expect(shared.body.grant_types_supported).to.include(GRANT);
      expect(shared.body.device_authorization_endpoint).to.equal(`${latchkey.baseUrl}/device_authorization`);
    });
  });
}

const tryKey = (who: string): string => `rate:user-code:${digestOf(who)}`;

type Asked = { device_code: string; user_code: string; verification_uri: string; expires_in: number };

const appPage = (latchkey: TestLatchkey, at: string): string =>
  `${latchkey.baseUrl}${at}/device?client_id=shop`;

const ask = (latchkey: TestLatchkey, client: TestClient, at: string): Promise<Answer> =>
  call(`${latchkey.baseUrl}${at}/device_authorization`, {
    method: 'POST',
    headers: { 'user-agent': 'Mozilla/5.0 (Linux; Android 14) Chrome/130' },
    body: new URLSearchParams({ client_id: client.clientId, scope: 'openid email offline_access' }),
  });

const pollAt = (latchkey: TestLatchkey, client: TestClient, at: string, code: string): Promise<Answer> =>
  call(`${latchkey.baseUrl}${at}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: GRANT, client_id: client.clientId, device_code: code }),
  });

async function begin(latchkey: TestLatchkey, client: TestClient, at: string) {
  const answer = await ask(latchkey, client, at);
  expect(answer.status, answer.text).to.equal(200);
  const asked = answer.body as Asked;
  return { asked, poll: () => pollAt(latchkey, client, at, asked.device_code) };
}

/** Counters of the driver that runs: both are looked at, one is empty. */
async function forgetTries(latchkey: TestLatchkey): Promise<void> {
  await latchkey.sql(`delete from ephemeral where key like 'rate:user-code:%'`);
  await latchkey.latchkey.stores.ephemeral.delete('console', tryKey('network:127.0.0.1'));
  await latchkey.latchkey.stores.ephemeral.delete('console', tryKey('network:0:0:0:0::/64'));
}

const withoutNonces = (html: string): string =>
  html
    .replaceAll(/nonce="[^"]*"/g, '')
    .replaceAll(/name="xsrf" value="[^"]*"/g, '')
    .replaceAll(/ value="[A-Z-]*"/g, '');
