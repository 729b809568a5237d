import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, type TestClient } from '../support/sign-in.ts';
import { type Answer, basic, call } from '../support/token-calls.ts';

const ADMIN = { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' };
const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

describe('hostile input', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let userId: string;

  before(async () => {
    latchkey = await startTestLatchkey();
    shop = await makeApp(latchkey, 'shop');
    userId = await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(() => latchkey.stop());

  const patchUser = (body: string | ReadableStream): Promise<Answer> =>
    call(`${latchkey.baseUrl}/api/v1/apps/shop/users/${userId}`, {
      method: 'PATCH',
      headers: { ...ADMIN, ...JSON_TYPE },
      body,
      duplex: 'half',
    } as RequestInit);

  it('#80 over one megabyte is answered 413, as JSON and as a form, with and without a length', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    const streamed = (): ReadableStream => {
      let left = 17;
      const pull = (controller: ReadableStreamDefaultController): void => {
        if (left-- > 0) controller.enqueue(new Uint8Array(64 * 1024).fill(120));
        else controller.close();
      };
      return new ReadableStream({ pull });
    };
    for (const body of [`{"metadata":{"a":"${megabyte}"}}`, streamed()]) {
      const answer = await patchUser(body);
      expect([answer.status, answer.body.code]).to.deep.equal([413, 'request.too_large']);
    }
    for (const path of ['/token', '/auth/shop/token', '/introspect', '/revoke'])
      for (const body of [`a=${megabyte}`, streamed()]) {
        const init = { method: 'POST', headers: { ...basic(shop), ...FORM_TYPE }, body, duplex: 'half' };
        expect((await call(latchkey.baseUrl + path, init as RequestInit)).status, path).to.equal(413);
      }
  });
});
