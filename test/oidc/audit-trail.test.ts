import { expect } from 'chai';
import type * as oidc from 'openid-client';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { signOut } from '../support/sign-out.ts';
import { post, redeemCode, refresh } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const kinds = ['own', 'shared'] as const;

describe('the trail of what happens at the doors of an app', () => {
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let userId: string;
  const seen = new Set<string>();

  before(async () => {
    latchkey = await startTestLatchkey();
    shop = await makeApp(latchkey, 'shop');
    userId = await makeUser(latchkey, 'shop', EMAIL);
  });
  after(() => latchkey.stop());

  /** What is new since it was last asked for. */
  const fresh = async (): Promise<any[]> => {
    const { body } = await latchkey.admin('GET', '/apps/shop/audit-events?limit=100');
    const items: any[] = body.items.filter((event: any) => !seen.has(event.event_id));
    for (const { event_id: id } of items) seen.add(id);
    return items;
  };
  /** Every event says whence it came and in which request. */
  async function expectRecorded(wanted: [type: string, actor: string, result: string][]): Promise<void> {
    const events = await fresh();
    expect(events.map(({ type, actor, result }) => [type, actor.type, result])).to.deep.equal(wanted);
    for (const event of events) {
      expect(event.user_id, event.type).to.equal(userId);
      expect(event.address, event.type).to.be.oneOf(['127.0.0.1', '::1', '::ffff:127.0.0.1']);
      expect(event.request_id, event.type).to.be.a('string').and.not.equal('');
      if (event.actor.type === 'client')
        expect([event.actor.id, event.client_id]).to.deep.equal(['shop', 'shop']);
      expect(JSON.stringify(event)).to.not.include(EMAIL);
    }
  }

  for (const kind of kinds)
    describe(`at the ${kind} issuer`, () => {
      let configuration: oidc.Configuration;
      before(async () => {
        configuration = await discover(latchkey, shop, kind);
      });
      beforeEach(fresh);

      const signIn = () => signedIn(latchkey, shop, { email: EMAIL, kind });

      it('#80 a sign-in that failed, one that succeeded, and sign-out', async () => {
        const agent = latchkey.agent();
        const request = await authorizationRequest(configuration);
        await signInByPassword(agent, request, EMAIL, 'a wrong password, quite long');
        await expectRecorded([['sign_in.failed', 'anonymous', 'failure']]);
        await signInByPassword(agent, request, EMAIL);
        await expectRecorded([['sign_in.succeeded', 'user', 'success']]);
        await signOut(latchkey, agent, 'shop');
        await expectRecorded([['session.ended', 'user', 'success']]);
      });

      it('#80 a refresh token used again', async () => {
        const { tokens } = await signIn();
        const first = await refresh(configuration, shop, tokens.refresh_token!);
        await refresh(configuration, shop, first.body.refresh_token);
        await fresh();
        expect((await refresh(configuration, shop, tokens.refresh_token!)).body.error).to.equal(
          'invalid_grant',
        );
        await expectRecorded([['refresh_token.reused', 'client', 'failure']]);
      });

      it('#80 a code used again', async () => {
        const { callback, request } = await signIn();
        await fresh();
        await latchkey.sql(
          `update spent set spent_at = spent_at - interval '30 seconds' where kind = 'code'`,
        );
        const again = await redeemCode(configuration, shop, { callback, verifier: request.verifier });
        expect(again.body.error).to.equal('invalid_grant');
        await expectRecorded([['authorization_code.reused', 'client', 'failure']]);
      });

      it('#80 a client that gives a grant back', async () => {
        const { tokens } = await signIn();
        await fresh();
        await post(configuration.serverMetadata().revocation_endpoint!, shop, {
          token: tokens.refresh_token!,
        });
        await expectRecorded([['grant.revoked', 'client', 'success']]);
        await post(configuration.serverMetadata().revocation_endpoint!, shop, {
          token: tokens.refresh_token!,
        });
        await expectRecorded([]);
      });
    });
});

describe('the trail, with Redis', () => {
  let latchkey: TestLatchkey;
  before(async () => {
    latchkey = await startTestLatchkey({ driver: 'redis' });
  });
  after(() => latchkey.stop());

  it('#80 says whose grant a client gave back, although its token was found in the cache', async () => {
    const shop = await makeApp(latchkey, 'shop');
    const userId = await makeUser(latchkey, 'shop', EMAIL);
    const { configuration, tokens } = await signedIn(latchkey, shop, { email: EMAIL });
    const form = { token: tokens.refresh_token! };
    expect((await post(configuration.serverMetadata().revocation_endpoint!, shop, form)).status).to.equal(
      200,
    );
    const { body } = await latchkey.admin('GET', '/apps/shop/audit-events?limit=1');
    const [{ type, user_id }] = body.items;
    expect([type, user_id]).to.deep.equal(['grant.revoked', userId]);
  });
});
