import { expect } from 'chai';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, signedIn, type TestClient } from '../support/sign-in.ts';
import { introspect } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';

for (const driver of drivers) {
  describe(`the row of an app, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      await makeUser(latchkey, 'shop', EMAIL);
    });
    after(() => latchkey.stop());

    it('is locked by nobody who signs in, redeems or revokes: they wait for none who holds it', async () => {
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
  });
}
