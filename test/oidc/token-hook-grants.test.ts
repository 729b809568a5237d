import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { type HookReceiver, startHookReceiver } from '../support/hook-receiver.ts';
import { issuerOf, makeApp, makeUser, PASSWORD, signedIn, type TestClient } from '../support/sign-in.ts';
import { type Answer, call, post } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

describe('the token hook, for grants beside codes', () => {
  let latchkey: TestLatchkey;
  let receiver: HookReceiver;
  let shop: TestClient;
  let userId: string;
  let tv: TestClient;
  let gateway: TestClient;
  let issuer: string;

  before(async () => {
    latchkey = await startTestLatchkey({ driver: 'redis', env: { OUTBOUND_ALLOWED_HOSTS: '127.0.0.1' } });
    receiver = await startHookReceiver();
    const features = { device_authorization: true, token_exchange: true };
    shop = await makeApp(latchkey, 'shop', { settings: { features } });
    userId = await makeUser(latchkey, 'shop', EMAIL);
    issuer = issuerOf(latchkey, 'shop', 'own');
    tv = await addClient({
      name: 'TV',
      type: 'native',
      redirect_uris: ['http://127.0.0.1/cb'],
      settings: { device_authorization: true },
    });
    gateway = await addClient({
      name: 'Gateway',
      type: 'service',
      settings: { token_exchange: { delegate: true, audiences: ['shop'] } },
    });
    const hook = await latchkey.admin('POST', '/apps/shop/token-hook', { url: receiver.url });
    expect(hook.status, JSON.stringify(hook.body)).to.equal(201);
  });
  after(async () => {
    await latchkey.stop();
    receiver.stop();
  });

  async function addClient(body: object): Promise<TestClient> {
    const made = await latchkey.admin('POST', '/apps/shop/clients', body);
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
  }

  /** A device whose person has said yes. */
  async function confirmedDevice(): Promise<() => Promise<Answer>> {
    const asked = await call(`${issuer}/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: tv.clientId, scope: 'openid email' }),
    });
    const agent = latchkey.agent();
    const entry = await agent.open(asked.body.verification_uri_complete);
    const signIn = await agent.submit(entry, {});
    const confirm = await agent.submit(signIn, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    await agent.submit(confirm, { decision: 'allow' }, { ending: '/device' });
    const form = { grant_type: DEVICE, client_id: tv.clientId, device_code: asked.body.device_code };
    return () => call(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(form) });
  }

  /** A service that was handed a token of a person, and wants one of its own for it. */
  async function handedToken(): Promise<() => Promise<Answer>> {
    const { tokens } = await signedIn(latchkey, shop, { email: EMAIL, kind: 'own' });
    return () =>
      post(`${issuer}/token`, gateway, {
        grant_type: EXCHANGE,
        subject_token: tokens.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      });
  }

  for (const { name, begin, clientId } of [
    { name: 'device_code', begin: confirmedDevice, clientId: () => tv.clientId },
    { name: 'token_exchange', begin: handedToken, clientId: () => gateway.clientId },
  ]) {
    it(`#78 is asked about ${name}, may add and may refuse, and without its answer there is no token`, async () => {
      receiver.say({ allow: true });
      const redeem = await begin();
      receiver.asked.length = 0;

      receiver.act((response) => void response.writeHead(500).end());
      const failed = await redeem();
      expect([failed.status, failed.body.error], failed.text).to.deep.equal([503, 'temporarily_unavailable']);
      receiver.say({ allow: false, message: 'not on Sundays' });
      const denied = await redeem();
      expect(denied.body).to.deep.equal({ error: 'access_denied', error_description: 'not on Sundays' });
      // It can say nothing about who acts for whom.
      receiver.say({ allow: true, access_token: { act: { sub: 'mallory' } } });
      expect((await redeem()).status).to.equal(503);

      receiver.say({ allow: true, access_token: { roles: ['admin'] }, id_token: { tier: 'gold' } });
      const given = await redeem();
      expect(given.status, given.text).to.equal(200);
      expect(decodeJwt(given.body.access_token)).to.deep.include({ roles: ['admin'], sub: userId });
      if (given.body.id_token) expect(decodeJwt(given.body.id_token)).to.include({ tier: 'gold' });

      expect(receiver.asked).to.have.length(4);
      for (const { body } of receiver.asked) {
        expect(body.data).to.include({ app_id: 'shop', issuer, grant_type: name });
        expect([body.data.client.client_id, body.data.user.user_id]).to.deep.equal([clientId(), userId]);
      }
      const trail = (await latchkey.admin('GET', '/apps/shop/audit-events?limit=20')).body.items;
      const refusals = trail.filter(({ type, details }: any) => {
        return type.startsWith('token_hook.') && details.grant_type === name;
      });
      expect(refusals.map(({ type }: any) => type)).to.have.members([
        'token_hook.failed',
        'token_hook.denied',
        'token_hook.failed',
      ]);
    });
  }
});
