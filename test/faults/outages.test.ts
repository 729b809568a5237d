import { expect } from 'chai';
import * as oidc from 'openid-client';
import { decodeJwt } from 'jose';
import type { Agent } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  type PrivatePostgres,
  type PrivateRedis,
  startPrivatePostgres,
  startPrivateRedis,
} from '../support/servers.ts';
import { flushRedis } from '../support/redis-server.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  type Request,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import {
  type Answer,
  basic,
  call,
  introspect,
  redeemCode,
  refresh,
  userinfo,
} from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';

describe('when a store is away', function () {
  this.timeout(90_000);
  let postgres: PrivatePostgres;
  let redis: PrivateRedis;
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let service: TestClient;
  let userId: string;
  let configuration: oidc.Configuration;
  let own: oidc.Configuration;

  before(async () => {
    [postgres, redis] = await Promise.all([startPrivatePostgres(), startPrivateRedis()]);
    latchkey = await startTestLatchkey({ driver: 'redis', database: postgres, redisUrl: redis.url });
    shop = await makeApp(latchkey, 'shop', { settings: { code_ttl: 600 } });
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Worker',
      type: 'service',
      scopes: ['orders:read'],
    });
    service = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    userId = await makeUser(latchkey, 'shop', EMAIL);
    configuration = await discover(latchkey, shop, 'shared');
    own = await discover(latchkey, shop, 'own');
  });
  after(async () => {
    await Promise.all([postgres.start(), redis.start()]);
    await latchkey.stop();
    await Promise.all([postgres.end(), redis.end()]);
  });
  afterEach(async () => {
    await Promise.all([postgres.start(), redis.start()]);
    await until(async () => (await get('/readyz')).status === 200);
  });

  const get = (path: string): Promise<Answer> => call(`${latchkey.baseUrl}${path}`);
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    while (!(await holds().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  /** The registry answers from memory for two seconds; an outage has to outlast that to be seen everywhere. */
  const outlastMemory = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2100));
  const silently = async (agent: Agent): Promise<URLSearchParams> => {
    const request = await authorizationRequest(configuration, { prompt: 'none', scope: 'openid' });
    return new URL((await agent.open(request.url.href)).url).searchParams;
  };
  const expectAway = (answer: { status: number; headers: Headers }, text: string): void => {
    expect(answer.status, text).to.equal(503);
    expect(Number(answer.headers.get('retry-after'))).to.be.greaterThan(0);
    expect(text).to.not.match(/ECONN|ENOENT|\bat .+\.(ts|js):\d+|ioredis|node_modules|\/tmp\//);
  };
  const expectPublished = async (): Promise<void> => {
    for (const prefix of ['', '/auth/shop']) {
      const metadata = await get(`${prefix}/.well-known/openid-configuration`);
      expect(metadata.status).to.equal(200);
      expect(metadata.body.issuer).to.equal(latchkey.baseUrl + prefix);
      const keys = await get(`${prefix}/.well-known/jwks.json`);
      expect(keys.status).to.equal(200);
      expect(keys.body.keys).to.have.length.greaterThan(0);
    }
  };
  const expectUnready = async (store: 'database' | 'redis'): Promise<void> => {
    expect((await get('/healthz')).status).to.equal(200);
    const ready = await get('/readyz');
    expect(ready.status).to.equal(503);
    expect(ready.body).to.include({ status: 'unavailable', [store]: 'unavailable' });
  };
  /** A sign-in that waits at its form, an unredeemed code and a full set of tokens: what a person may be in the middle of. */
  const inTheMiddle = async () => {
    const { agent, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
    const waiting: Request = await authorizationRequest(configuration);
    const visitor = latchkey.agent();
    const form = await visitor.open(waiting.url.href);
    const request = await authorizationRequest(configuration);
    const { url: callback } = await signInByPassword(latchkey.agent(), request, EMAIL);
    return { agent, tokens, visitor, form, code: { callback, verifier: request.verifier } };
  };

  it('Redis: what needs it is refused with 503, health and published documents are not, and afterwards all goes on', async () => {
    const { agent, tokens, visitor, form, code } = await inTheMiddle();
    await redis.stop();
    expectAwayAnswer(await redeemCode(configuration, shop, code));
    const anew = await visitor.open((await authorizationRequest(configuration)).url.href);
    expectAway(anew, anew.html);
    const sent = await visitor.submit(form, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    expectAway(sent, sent.html);
    const silent = await agent.open(
      (await authorizationRequest(configuration, { prompt: 'none', scope: 'openid' })).url.href,
    );
    expectAway(silent, silent.html);
    await expectUnready('redis');
    // What Postgres alone decides goes on.
    const renewed = await refresh(configuration, shop, tokens.refresh_token!);
    expect(renewed.status, renewed.text).to.equal(200);
    expect((await introspect(configuration, shop, renewed.body.access_token)).body.active).to.equal(true);
    await outlastMemory();
    await expectPublished();

    await redis.start();
    await until(async () => (await get('/readyz')).status === 200);
    expect((await silently(agent)).has('code')).to.equal(true);
    expect((await refresh(configuration, shop, renewed.body.refresh_token)).status).to.equal(200);
    const { tokens: fresh } = await signedIn(latchkey, shop, { email: EMAIL });
    expect((await userinfo(configuration, fresh.access_token)).status).to.equal(200);
  });

  it('Redis: a revocation is acknowledged when the database has the tombstone, holds at once, and is delivered later', async () => {
    const { agent, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
    expect((await silently(agent)).has('code')).to.equal(true);
    const sessions = await latchkey.admin('GET', `/apps/shop/users/${userId}/sessions`);
    await redis.stop();
    const ended = await latchkey.admin(
      'DELETE',
      `/apps/shop/users/${userId}/sessions/${sessions.body.items[0].session_id}`,
    );
    expect(ended.status).to.equal(204);
    expect(await latchkey.sql('select from pending_graves')).to.have.length.greaterThan(0);
    expect((await introspect(configuration, shop, tokens.access_token)).body.active).to.equal(false);
    expect((await refresh(configuration, shop, tokens.refresh_token!)).body.error).to.equal('invalid_grant');
    await redis.start();
    await until(async () => (await get('/readyz')).status === 200);
    expect((await silently(agent)).get('error')).to.equal('login_required');
    await until(async () => (await latchkey.sql('select from pending_graves')).length === 0);
    expect((await silently(agent)).get('error')).to.equal('login_required');
  });

  it('Postgres: everything that decides is refused with 503, health and published documents are not, and nothing acknowledged is lost', async () => {
    const { agent, tokens, visitor, form, code } = await inTheMiddle();
    await expectPublished();
    const clientCredentials = (): Promise<Answer> =>
      call(configuration.serverMetadata().token_endpoint!, {
        method: 'POST',
        headers: basic(service),
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read' }),
      });
    expect((await clientCredentials()).status).to.equal(200);
    await postgres.stop();
    expectAwayAnswer(await redeemCode(configuration, shop, code));
    expectAwayAnswer(await refresh(configuration, shop, tokens.refresh_token!));
    expectAwayAnswer(await introspect(configuration, shop, tokens.access_token));
    expectAwayAnswer(await userinfo(configuration, tokens.access_token));
    const sent = await visitor.submit(form, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    expectAway(sent, sent.html);
    await expectUnready('database');
    await outlastMemory();
    await expectPublished();
    // Whether the app and the client are still allowed to can not be known: no token on an old word.
    expectAwayAnswer(await clientCredentials());
    const anew = await visitor.open((await authorizationRequest(own)).url.href);
    expectAway(anew, anew.html);
    expectAwayAnswer(
      await call(`${latchkey.baseUrl}/api/v1/apps/shop/users/${userId}`, {
        headers: { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' },
      }),
    );

    await postgres.start();
    await until(async () => (await get('/readyz')).status === 200);
    expect((await silently(agent)).has('code')).to.equal(true);
    expect((await redeemCode(configuration, shop, code)).status).to.equal(200);
    const renewed = await refresh(configuration, shop, tokens.refresh_token!);
    expect(renewed.status, renewed.text).to.equal(200);
    expect((await userinfo(configuration, renewed.body.access_token)).status).to.equal(200);
    const done = await visitor.submit(form, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    expect(new URL(done.url).searchParams.has('code'), done.html.slice(0, 400)).to.equal(true);
    expect((await clientCredentials()).status).to.equal(200);
  });

  it('Redis: an emptied one brings nothing back that was revoked, spent, ended or denied, and ends nothing that lives', async () => {
    const alive = await signedIn(latchkey, shop, { email: EMAIL });
    const ended = await signedIn(latchkey, shop, { email: EMAIL });
    const revoked = await signedIn(latchkey, shop, { email: EMAIL });
    const denied = await signedIn(latchkey, shop, { email: EMAIL });
    const [session] = await latchkey.sql(
      'select session_id from sessions s join grants g on g.session_uid = s.uid where g.grant_id = $1',
      [decodeJwt(ended.tokens.access_token)['gid']],
    );
    const sessionId = session!['session_id'];
    expect((await silently(ended.agent)).has('code')).to.equal(true);
    expect(
      (await latchkey.admin('DELETE', `/apps/shop/users/${userId}/sessions/${sessionId}`)).status,
    ).to.equal(204);
    expect(
      (
        await latchkey.admin(
          'DELETE',
          `/apps/shop/users/${userId}/grants/${decodeJwt(revoked.tokens.access_token)['gid']}`,
        )
      ).status,
    ).to.equal(204);
    await oidc.tokenRevocation(configuration, denied.tokens.access_token);

    await flushRedis(redis.url);
    expect((await silently(ended.agent)).get('error')).to.equal('login_required');
    for (const { tokens } of [ended, revoked]) {
      expect((await introspect(configuration, shop, tokens.access_token)).body.active).to.equal(false);
      expect((await refresh(configuration, shop, tokens.refresh_token!)).body.error).to.equal(
        'invalid_grant',
      );
    }
    expect((await introspect(configuration, shop, denied.tokens.access_token)).body.active).to.equal(false);
    expect((await userinfo(configuration, denied.tokens.access_token)).status).to.equal(401);
    for (const { callback, request } of [alive, ended, revoked, denied]) {
      expect(
        (await redeemCode(configuration, shop, { callback, verifier: request.verifier })).body.error,
      ).to.equal('invalid_grant');
    }
    expect((await silently(alive.agent)).has('code')).to.equal(true);
    expect((await userinfo(configuration, alive.tokens.access_token)).status).to.equal(200);
    expect((await refresh(configuration, shop, alive.tokens.refresh_token!)).status).to.equal(200);
  });

  function expectAwayAnswer(answer: Answer): void {
    expectAway(answer, answer.text);
  }
});
