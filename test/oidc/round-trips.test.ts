import { expect } from 'chai';
import type * as oidc from 'openid-client';
import { type Driver, drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { introspect, post, redeemCode, refresh, tokenUrl, userinfo } from '../support/token-calls.ts';

/**
 * Statements sent to Postgres by one request, transactions' own begin and commit not counted (they travel with the
 * first statement, and the commit is one more round trip for those that write). A number here may only fall; beside
 * it what the design wants of round trips to all stores (§8).
 */
const LIMITS = {
  client_credentials: { postgres: 0, redis: 0, design: 0 },
  introspect: { postgres: 1, redis: 1, design: 2 },
  userinfo: { postgres: 1, redis: 1, design: 2 },
  refresh: { postgres: 2, redis: 2, design: 3 },
  authorize: { postgres: 3, redis: 1, design: 3 },
  code: { postgres: 4, redis: 2, design: 3 },
  // Among them which factors the user has, and the job that tells of a new device.
  sign_in: { postgres: 16, redis: 7, design: 14 },
} as const;

/** The questions every two seconds whether the app has changed, and the keys, of whichever request comes then. */
const BESIDE = /select revision\b|from deployment_keys/;

for (const driver of drivers) {
  describe(`statements of one request, on ${driver}`, function () {
    // A machine that stalls for half a second makes a process distrust its cache for that long, and ask Postgres.
    this.retries(3);
    const { latchkey, count, start } = counted(driver);
    let shop: TestClient;
    let configuration: oidc.Configuration;

    before(async () => {
      await start();
      shop = await makeApp(latchkey(), 'shop');
      await makeUser(latchkey(), 'shop', 'ada@example.com');
      configuration = await discover(latchkey(), shop, 'shared');
      // Whatever is read once is read.
      await signedIn(latchkey(), shop, { email: 'ada@example.com' });
    });
    after(() => latchkey().stop());

    const within = (workload: keyof typeof LIMITS, statements: string[]): void => {
      const limit = LIMITS[workload][driver];
      expect(
        statements.length,
        `${workload}: ${limit} were enough before\n${statements.join('\n')}`,
      ).to.be.at.most(limit);
    };

    it('client_credentials', async () => {
      const made = await latchkey().admin('POST', '/apps/shop/clients', {
        name: 'Worker',
        type: 'service',
        scopes: ['orders:read'],
      });
      const service = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
      const ask = () =>
        post(tokenUrl(configuration), service, { grant_type: 'client_credentials', scope: 'orders:read' });
      await ask();
      const { result, statements } = await count(ask);
      expect(result.status).to.equal(200);
      within('client_credentials', statements);
    });

    it('introspection and userinfo', async () => {
      const { tokens } = await signedIn(latchkey(), shop, { email: 'ada@example.com' });
      const looked = await count(() => introspect(configuration, shop, tokens.access_token));
      expect(looked.result.body.active).to.equal(true);
      within('introspect', looked.statements);
      const told = await count(() => userinfo(configuration, tokens.access_token));
      expect(told.result.status).to.equal(200);
      within('userinfo', told.statements);
    });

    it('refresh', async () => {
      const { tokens } = await signedIn(latchkey(), shop, { email: 'ada@example.com' });
      const { result, statements } = await count(() => refresh(configuration, shop, tokens.refresh_token!));
      expect(result.status).to.equal(200);
      within('refresh', statements);
    });

    it('authorize with a session, and the exchange of its code', async () => {
      const { agent } = await signedIn(latchkey(), shop, { email: 'ada@example.com' });
      // Whoever comes back for the first time is read into the cache.
      await agent.open((await authorizationRequest(configuration)).url.href);
      const request = await authorizationRequest(configuration);
      const { result: page, statements } = await count(() => agent.open(request.url.href));
      expect(page.url).to.match(/[?&]code=/);
      within('authorize', statements);
      const redeemed = await count(() =>
        redeemCode(configuration, shop, { callback: page.url, verifier: request.verifier }),
      );
      expect(redeemed.result.status).to.equal(200);
      within('code', redeemed.statements);
    });

    it('a whole sign-in by password, from the authorization request to the tokens', async () => {
      const agent = latchkey().agent();
      const request = await authorizationRequest(configuration);
      const { result, statements } = await count(async () => {
        const page = await signInByPassword(agent, request, 'ada@example.com', PASSWORD);
        return redeemCode(configuration, shop, { callback: page.url, verifier: request.verifier });
      });
      expect(result.status).to.equal(200);
      within('sign_in', statements);
    });
  });
}

function counted(driver: Driver) {
  let latchkey: TestLatchkey;
  let statements: string[] | undefined;
  return {
    latchkey: () => latchkey,
    async start(): Promise<void> {
      latchkey = await startTestLatchkey({
        driver,
        observe: ({ text }) =>
          void (BESIDE.test(text) || statements?.push(text.replaceAll(/\s+/g, ' ').slice(0, 100))),
      });
    },
    async count<T>(work: () => Promise<T>): Promise<{ result: T; statements: string[] }> {
      const seen: string[] = [];
      statements = seen;
      const result = await work();
      statements = undefined;
      if (process.env['TEST_LOG']) console.log(seen.length, seen);
      return { result, statements: seen };
    },
  };
}
