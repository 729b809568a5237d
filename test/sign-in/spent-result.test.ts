import { expect } from 'chai';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  type TestClient,
} from '../support/sign-in.ts';

const EMAIL = 'ada@example.com';
const HOUR = 3600;

for (const driver of drivers) {
  describe(`the result of a sign-in, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      await makeUser(latchkey, 'shop', EMAIL);
    });
    after(() => latchkey.stop());

    it('stays spent for as long as its interaction could live, though the app gives less to those that begin now', async () => {
      const browser = latchkey.agent();
      const { url } = await authorizationRequest(await discover(latchkey, shop, 'shared'));
      const page = await browser.open(url.href);
      const { status } = await latchkey.admin('PATCH', '/apps/shop', { settings: { interaction_ttl: 60 } });
      expect(status).to.equal(200);
      await browser.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      const [spent] = await latchkey.sql<{ left: number }>(
        `select extract(epoch from expires_at - now())::int as left from spent where kind = 'interaction_result'`,
      );
      expect(spent!.left).to.be.within(HOUR, HOUR + 60);
    });
  });
}
