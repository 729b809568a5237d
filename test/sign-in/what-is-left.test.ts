import { expect } from 'chai';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  signedIn,
  type TestClient,
} from '../support/sign-in.ts';
import { introspect } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const HOUR = 3600;

for (const driver of drivers) {
  describe(`what a sign-in leaves in the database, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      await makeUser(latchkey, 'shop', EMAIL);
    });
    after(() => latchkey.stop());

    it('locks no row of the app, nor do redemption and revocation: they wait for none who holds it', async () => {
      const row = await latchkey.hold(`select from apps where app_id = 'shop' for update`);
      try {
        const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
        await oidc.tokenRevocation(configuration, tokens.access_token);
        const { body } = await introspect(configuration, shop, tokens.access_token);
        expect(body).to.deep.equal({ active: false });
      } finally {
        await row.commit();
      }
    });

    it('keeps its result spent for as long as its interaction could live, though the app gives less to those that begin now', async () => {
      const browser = latchkey.agent();
      const { url } = await authorizationRequest(await discover(latchkey, shop, 'shared'));
      const page = await browser.open(url.href);
      const { status } = await latchkey.admin('PATCH', '/apps/shop', { settings: { interaction_ttl: 60 } });
      expect(status).to.equal(200);
      await browser.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      const [spent] = await latchkey.sql<{ left: number }>(
        `select extract(epoch from expires_at - now())::int as left from spent where kind = 'interaction_result' order by spent_at desc limit 1`,
      );
      expect(spent!.left).to.be.within(HOUR, HOUR + 60);
    });
  });
}
