import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { freePort, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase, testRedisUrl } from '../support/servers.ts';
import {
  authorizationRequest,
  issuerOf,
  makeApp,
  makeUser,
  signedIn,
  type TestClient,
} from '../support/sign-in.ts';
import { signOut } from '../support/sign-out.ts';
import { call, post } from '../support/token-calls.ts';

type Held = Awaited<ReturnType<typeof signedIn>>;
type At = { held: Held; user: string };

/** Questions of the process itself, whichever request meets them. */
const BESIDE = /select revision\b|from deployment_keys/;

describe('introspection that the cache answers, at another instance than where things end', function () {
  this.timeout(120_000);
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let here: TestLatchkey;
  let elsewhere: TestLatchkey;
  let door: string;
  let shop: TestClient;
  let people = 0;
  let asked: string[] = [];

  before(async () => {
    database = await createDatabase();
    const shared = { driver: 'redis', database, redisUrl: testRedisUrl(database) } as const;
    const env = { ENCRYPTION_KEYS: randomBytes(32).toString('base64') };
    here = await startTestLatchkey({ ...shared, env });
    const port = await freePort();
    elsewhere = await startTestLatchkey({
      ...shared,
      env: { ...env, BASE_URL: here.baseUrl, PORT: String(port) },
      observe: ({ text }) => void (BESIDE.test(text) || asked.push(text)),
    });
    door = `http://localhost:${port}`;
    shop = await makeApp(here, 'shop');
  });
  after(async () => {
    await elsewhere.stop();
    await here.stop();
    await dropDatabase(database);
  });

  const isActive = async (token: string): Promise<boolean> => {
    const { status, body } = await post(`${door}/auth/shop/introspect`, shop, { token });
    expect(status).to.equal(200);
    return body.active;
  };

  /**
   * Asks until the cache alone has answered: an instance that stalls does not trust it for a while, and learns of a new
   * client within two seconds.
   */
  async function isKnown(token: string): Promise<void> {
    for (;;) {
      asked = [];
      if ((await isActive(token)) && asked.length === 0) return;
    }
  }

  async function somebody(): Promise<At> {
    people += 1;
    const email = `ada-${people}@example.com`;
    const userId = await makeUser(here, 'shop', email);
    const held = await signedIn(here, shop, { email, kind: 'own' });
    return { held, user: `/apps/shop/users/${userId}` };
  }

  const admin = async (method: string, path: string, change?: object): Promise<any> => {
    const { status, body } = await here.admin(method, path, change);
    expect(status, JSON.stringify(body)).to.be.within(200, 204);
    return body;
  };
  const endings: Record<string, (at: At) => Promise<unknown>> = {
    'a client that revokes it': ({ held }) =>
      post(`${here.baseUrl}/auth/shop/revoke`, shop, { token: held.tokens.access_token }),
    'signing out': ({ held }) => signOut(here, held.agent, 'shop'),
    'an operator who ends the grant': async ({ user }) => {
      const { items } = await admin('GET', `${user}/grants`);
      await admin('DELETE', `${user}/grants/${items[0].grant_id}`);
    },
    'an operator who disables the user': ({ user }) => admin('PATCH', user, { disabled: true }),
    'an operator who deletes the user': ({ user }) => admin('DELETE', user),
  };
  for (const [name, end] of Object.entries(endings))
    it(`#22 ${name} ends it there too, at once`, async () => {
      const at = await somebody();
      const token = at.held.tokens.access_token;
      await isKnown(token);
      await end(at);
      expect(await isActive(token)).to.equal(false);
    });

  it('#22 a token of a service account that is revoked is not active any more', async () => {
    const made = await here.admin('POST', '/apps/shop/clients', {
      name: 'Worker',
      type: 'service',
      scopes: ['orders:read'],
    });
    const worker = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    const form = { grant_type: 'client_credentials', scope: 'orders:read' };
    const { body } = await post(`${here.baseUrl}/auth/shop/token`, worker, form);
    await isKnown(body.access_token);
    await post(`${here.baseUrl}/auth/shop/revoke`, worker, { token: body.access_token });
    expect(await isActive(body.access_token)).to.equal(false);
    // The first try died before the cache knew.
    const next = (await post(`${here.baseUrl}/auth/shop/token`, worker, form)).body.access_token;
    await isKnown(next);
    const { jti, exp } = decodeJwt(next);
    await here.sql('insert into denied_tokens (app_id, jti, expires_at) values ($1, $2, to_timestamp($3))', [
      'shop',
      jti,
      exp,
    ]);
    expect(await isActive(next), 'what the cache still says').to.equal(true);
    await post(`${here.baseUrl}/auth/shop/revoke`, worker, { token: next });
    expect(await isActive(next)).to.equal(false);
  });

  /** What a request leaves that died between its commit and the tombstone. */
  const died = (statement: string, id: string) => here.sql(statement, [id]);
  const grantOf = async ({ user }: At): Promise<string> =>
    (await admin('GET', `${user}/grants`)).items[0].grant_id;
  const again: Record<string, (at: At) => Promise<unknown>> = {
    'its access token': ({ held }) =>
      post(`${here.baseUrl}/auth/shop/revoke`, shop, { token: held.tokens.access_token }),
    'its refresh token': ({ held }) =>
      post(`${here.baseUrl}/auth/shop/revoke`, shop, { token: held.tokens.refresh_token! }),
  };
  for (const [name, revoke] of Object.entries(again))
    it(`#22 a grant whose revocation died before the cache knew is dead when it is revoked again by ${name}`, async () => {
      const at = await somebody();
      const token = at.held.tokens.access_token;
      await isKnown(token);
      await died('update grants set revoked_at = now() where grant_id = $1', await grantOf(at));
      expect(await isActive(token), 'what the cache still says').to.equal(true);
      await revoke(at);
      expect(await isActive(token)).to.equal(false);
    });

  const endSession = async ({ user }: At): Promise<void> => {
    const { items } = await admin('GET', `${user}/sessions`);
    const id = items[0].session_id;
    await died('update sessions set ended_at = now() where session_id = $1', id);
    await died(
      'update grants set revoked_at = now() where session_uid = (select uid from sessions where session_id = $1)',
      id,
    );
  };
  /** Where this browser is sent that must not be asked anything. */
  const silently = async ({ held }: At): Promise<URLSearchParams> => {
    const { url } = await authorizationRequest(held.configuration, { prompt: 'none' });
    return new URL((await held.agent.open(url.href)).url).searchParams;
  };

  it('#22 a session whose end died before the cache knew is dead when the end is confirmed again', async () => {
    const at = await somebody();
    const token = at.held.tokens.access_token;
    await isKnown(token);
    const page = await at.held.agent.open(`${issuerOf(here, 'shop', 'own')}/logout`);
    await endSession(at);
    await at.held.agent.submit(page, { logout: 'yes' }, { ending: '/logout/confirm' });
    expect(await isActive(token)).to.equal(false);
    expect((await silently(at)).get('error')).to.equal('login_required');
  });

  it('#22 a session whose end died before the cache knew is found out once, and is gone', async () => {
    const at = await somebody();
    await endSession(at);
    // The first page has something to write into the session, and finds it ended.
    await at.held.agent.open(`${issuerOf(here, 'shop', 'own')}/logout`);
    expect((await silently(at)).get('error')).to.equal('login_required');
    expect((await at.held.agent.open(`${issuerOf(here, 'shop', 'own')}/logout`)).status).to.equal(200);
  });

  it('a person who was let in again is asked for in the database, and their old tokens stay dead', async () => {
    const at = await somebody();
    const token = at.held.tokens.access_token;
    await isKnown(token);
    await admin('PATCH', at.user, { disabled: true });
    await admin('PATCH', at.user, { disabled: false });
    expect(await isActive(token)).to.equal(false);
  });

  it('userinfo tells the person as they are now, whatever introspection remembers', async () => {
    const at = await somebody();
    const token = at.held.tokens.access_token;
    await isKnown(token);
    await admin('PATCH', at.user, { profile: { name: 'Ada, renamed' } });
    const told = await call(`${door}/auth/shop/userinfo`, { headers: { authorization: `Bearer ${token}` } });
    expect(told.body.name).to.equal('Ada, renamed');
  });
});
