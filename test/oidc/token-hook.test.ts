import { expect } from 'chai';
import { decodeJwt } from 'jose';
import type * as oidc from 'openid-client';
import { type Agent } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { type HookReceiver, signaturesBy, startHookReceiver } from '../support/hook-receiver.ts';
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
import {
  type Answer,
  atOnce,
  post,
  redeemCode,
  refresh,
  tokenUrl,
  userinfo,
} from '../support/token-calls.ts';

for (const driver of drivers) {
  describe(`the token hook, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let receiver: HookReceiver;
    let shop: TestClient;
    let service: TestClient;
    let configuration: oidc.Configuration;
    let agent: Agent;
    let secret: string;

    before(async () => {
      latchkey = await startTestLatchkey({ driver, env: { OUTBOUND_ALLOWED_HOSTS: '127.0.0.1' } });
      receiver = await startHookReceiver();
      shop = await makeApp(latchkey, 'shop');
      await makeUser(latchkey, 'shop', 'ada@example.com', { metadata: { plan: 'gold' } });
      const made = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Worker',
        type: 'service',
        scopes: ['orders:read'],
      });
      service = { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
      configuration = await discover(latchkey, shop, 'own');
      agent = latchkey.agent();
      await signedIn(latchkey, shop, { email: 'ada@example.com', kind: 'own', agent });
      const hook = await latchkey.admin('POST', '/apps/shop/token-hook', {
        url: receiver.url,
        timeout_ms: 1500,
      });
      expect(hook.status, JSON.stringify(hook.body)).to.equal(201);
      ({ secret } = hook.body);
    });
    after(async () => {
      await latchkey.stop();
      receiver.stop();
    });
    beforeEach(async () => {
      receiver.say({ allow: true });
      receiver.asked.length = 0;
      await hookIs({ grant_types: null, timeout_ms: 1500, url: receiver.url });
    });

    const hookIs = (change: object) => latchkey.admin('PATCH', '/apps/shop/token-hook', change);
    const code = async () => {
      const request = await authorizationRequest(configuration);
      const page = await signInByPassword(agent, request, 'ada@example.com');
      return { callback: page.url, verifier: request.verifier };
    };
    const redeem = (at: { callback: string; verifier: string }) => redeemCode(configuration, shop, at);
    const asService = () =>
      post(tokenUrl(configuration), service, { grant_type: 'client_credentials', scope: 'orders:read' });
    const events = async (type: string): Promise<any[]> =>
      (await latchkey.admin('GET', '/apps/shop/audit-events?limit=50')).body.items.filter(
        (event: any) => event.type === type,
      );

    it('#78 is asked with a signature, and adds claims to both tokens, for codes and for refreshes', async () => {
      const roles = ['admin'];
      receiver.say({
        allow: true,
        access_token: { roles, 'https://shop.example/x': 1 },
        id_token: { tier: 'gold' },
      });
      const first = await redeem(await code());
      const renewed = await refresh(configuration, shop, first.body.refresh_token);
      for (const { body } of [first, renewed]) {
        expect(decodeJwt(body.access_token)).to.deep.include({
          roles,
          'https://shop.example/x': 1,
          app_id: 'shop',
        });
        expect(decodeJwt(body.access_token)).not.to.have.property('tier');
        expect(decodeJwt(body.id_token)).to.include({ tier: 'gold' }).and.not.to.have.property('roles');
        expect((await userinfo(configuration, body.access_token)).status).to.equal(200);
      }
      expect(receiver.asked.map(({ body }) => body.data.grant_type)).to.deep.equal([
        'authorization_code',
        'refresh_token',
      ]);
      for (const asked of receiver.asked) {
        expect(signaturesBy(secret, asked)).to.equal(1);
        expect(Number(asked.headers['webhook-timestamp'])).to.be.closeTo(Date.now() / 1000, 60);
        expect(asked.body.type).to.equal('token.issuing');
        expect(asked.body.data).to.deep.include({
          app_id: 'shop',
          issuer: `${latchkey.baseUrl}/auth/shop`,
          client: { client_id: 'shop', name: 'SHOP', type: 'web' },
          audience: 'shop',
          scopes: ['openid', 'email', 'profile', 'offline_access'],
        });
        expect(asked.body.data.user).to.deep.include({
          email: 'ada@example.com',
          metadata: { plan: 'gold' },
        });
        expect(asked.body.data.authentication.amr).to.deep.equal(['pwd']);
        expect(asked.body.data.request.address).to.equal('127.0.0.1');
      }
      const ids = new Set(receiver.asked.map(({ headers }) => headers['webhook-id']));
      expect(ids.size).to.equal(2);
    });

    it('is told nothing that opens anything', async () => {
      const at = await code();
      const { body } = await redeem(at);
      await refresh(configuration, shop, body.refresh_token);
      const told = receiver.asked.map(({ text, headers }) => text + JSON.stringify(headers)).join('\n');
      const canaries = [
        new URL(at.callback).searchParams.get('code')!,
        at.verifier,
        body.refresh_token,
        shop.secret!,
      ];
      for (const canary of [...canaries, body.access_token, PASSWORD, secret])
        expect(told).not.to.include(canary);
      expect(told).not.to.match(/"(cookie|authorization)"/);
    });

    it('is asked about machines too, without a user', async () => {
      receiver.say({ allow: true, access_token: { tenant: 7 }, id_token: { unused: true } });
      const { status, body } = await asService();
      expect([status, body.scope]).to.deep.equal([200, 'orders:read']);
      expect(decodeJwt(body.access_token)).to.deep.include({ tenant: 7, client_id: service.clientId });
      expect(receiver.asked[0]!.body.data).to.deep.include({
        grant_type: 'client_credentials',
        user: null,
        authentication: null,
        scopes: ['orders:read'],
      });
    });

    it('is not asked about what is refused anyway', async () => {
      const refused = await post(tokenUrl(configuration), service, {
        grant_type: 'client_credentials',
        scope: 'admin',
      });
      expect(refused.body.error).to.equal('invalid_scope');
      const at = await code();
      expect((await redeem({ ...at, verifier: 'x'.repeat(43) })).body.error).to.equal('invalid_grant');
      expect(receiver.asked).to.have.length(0);
    });

    it('is asked about the grants it wants to be asked about', async () => {
      await hookIs({ grant_types: ['refresh_token'] });
      const { body } = await redeem(await code());
      await asService();
      expect(receiver.asked).to.have.length(0);
      await refresh(configuration, shop, body.refresh_token);
      expect(receiver.asked).to.have.length(1);
    });

    it('denies with a message, and nothing is spent by that', async () => {
      const at = await code();
      receiver.say({ allow: false, message: 'not on Sundays' });
      const denied = await redeem(at);
      expect([denied.status, denied.body]).to.deep.equal([
        400,
        { error: 'access_denied', error_description: 'not on Sundays' },
      ]);
      receiver.say({ allow: true });
      const { body } = await redeem(at);
      receiver.say({ allow: false, message: 'Zeile 1\nZeile 2 "ü"' });
      const kept = await refresh(configuration, shop, body.refresh_token);
      expect(kept.body).to.deep.equal({
        error: 'access_denied',
        error_description: 'the app does not allow this',
      });
      receiver.say({ allow: true });
      const renewed = await refresh(configuration, shop, body.refresh_token);
      expect(renewed.status).to.equal(200);
      expect((await userinfo(configuration, renewed.body.access_token)).status).to.equal(200);
      const [latest] = await events('token_hook.denied');
      expect(latest).to.deep.include({ client_id: 'shop', result: 'failure' });
      expect(latest.details.grant_type).to.equal('refresh_token');
    });

    const unusable: [string, string, () => void | Promise<unknown>][] = [
      ['nothing, in time', 'timeout', () => hookIs({ timeout_ms: 150 }).then(() => receiver.act(() => {}))],
      ['nobody there', 'unreachable', () => hookIs({ url: 'http://127.0.0.1:1/' })],
      ['a failure', 'status', () => receiver.act((response) => void response.writeHead(500).end('canary'))],
      ['204', 'status', () => receiver.act((response) => void response.writeHead(204).end())],
      [
        'a redirect',
        'status',
        () => receiver.act((response) => void response.writeHead(307, { location: receiver.url }).end()),
      ],
      ['no JSON', 'malformed', () => receiver.act((response) => void response.end('<p>canary</p>'))],
      ['nothing', 'malformed', () => receiver.act((response) => void response.end())],
      ['no decision', 'malformed', () => receiver.say({})],
      ['a decision that is none', 'malformed', () => receiver.say({ allow: 'yes' })],
      ['an unknown field', 'malformed', () => receiver.say({ allow: true, claims: { a: 1 } })],
      ['claims that are none', 'malformed', () => receiver.say({ allow: true, access_token: ['a'] })],
      [
        'too many claims',
        'malformed',
        () => receiver.say({ allow: true, id_token: { a: 'x'.repeat(4100) } }),
      ],
      ['too much', 'too_large', () => receiver.say({ allow: true, id_token: { a: 'x'.repeat(20_000) } })],
      ['claims too deep', 'malformed', () => receiver.say({ allow: true, id_token: { a: nested(9) } })],
      [
        'a prototype',
        'malformed',
        () =>
          receiver.act(
            (response) => void response.end('{"allow":true,"access_token":{"__proto__":{"a":1}}}'),
          ),
      ],
      ...[
        'iss',
        'sub',
        'aud',
        'exp',
        'scope',
        'client_id',
        'cnf',
        'act',
        'gid',
        'sid',
        'app_id',
        'amr',
        'email',
      ].map((name): [string, string, () => void] => [
        `the claim ${name}`,
        'malformed',
        () => receiver.say({ allow: true, access_token: { [name]: 'x' } }),
      ]),
    ];
    for (const [what, reason, arrange] of unusable) {
      it(`answering ${what} means no tokens, a clear error, and nothing spent`, async () => {
        const at = await code();
        await arrange();
        const failed = await redeem(at);
        unavailable(failed);
        expect(failed.text).not.to.include('canary');
        const [latest] = await events('token_hook.failed');
        expect(latest).to.deep.include({ client_id: 'shop', result: 'failure' });
        expect(latest.details).to.deep.include({ reason, grant_type: 'authorization_code' });
        expect(JSON.stringify(latest)).not.to.include('canary');
        await hookIs({ url: receiver.url, timeout_ms: 1500 });
        receiver.say({ allow: true });
        expect((await redeem(at)).status).to.equal(200);
      });
    }

    it('that fails leaves a refresh token as it was, however often it is tried', async () => {
      const { body } = await redeem(await code());
      receiver.act((response) => void response.writeHead(500).end());
      for (let times = 0; times < 3; times++)
        unavailable(await refresh(configuration, shop, body.refresh_token));
      receiver.say({ allow: true });
      const renewed = await refresh(configuration, shop, body.refresh_token);
      expect(renewed.status).to.equal(200);
      expect(renewed.body.refresh_token).not.to.equal(body.refresh_token);
    });

    it('leaves a code single-use: of 16 at once one wins, and what it got works', async () => {
      const at = await code();
      const answers = await atOnce(16, () => redeem(at));
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      expect((await userinfo(configuration, won[0]!.body.access_token)).status).to.equal(200);
      expect((await refresh(configuration, shop, won[0]!.body.refresh_token)).status).to.equal(200);
    });

    it('holds no connection to the database while it thinks', async () => {
      const waiting: (() => void)[] = [];
      const codes = [];
      for (let count = 0; count < 20; count++) codes.push(await code());
      receiver.act((response) => void waiting.push(() => response.end('{"allow":true}')));
      await hookIs({ timeout_ms: 3000 });
      // More than there are connections.
      const answers = codes.map(redeem);
      while (waiting.length < codes.length) await new Promise((resolve) => setTimeout(resolve, 5));
      const held = await latchkey.sql(
        `select query from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
      );
      expect(held).to.deep.equal([]);
      expect((await latchkey.admin('GET', '/apps/shop/users?email=ada@example.com')).status).to.equal(200);
      for (const answer of waiting) answer();
      for (const { status } of await Promise.all(answers)) expect(status).to.equal(200);
    });

    it('of one app is not asked about another', async () => {
      const other = await makeApp(latchkey, `other-${driver}`);
      await makeUser(latchkey, other.appId, 'ada@example.com');
      const { tokens } = await signedIn(latchkey, other, { email: 'ada@example.com' });
      expect(tokens.access_token).to.be.a('string');
      expect(receiver.asked).to.have.length(0);
    });

    it('is asked at the shared issuer too', async () => {
      const shared = await discover(latchkey, shop, 'shared');
      const request = await authorizationRequest(shared);
      const page = await signInByPassword(agent, request, 'ada@example.com');
      receiver.say({ allow: true, access_token: { roles: ['x'] } });
      const { body } = await redeemCode(shared, shop, { callback: page.url, verifier: request.verifier });
      expect(decodeJwt(body.access_token)['roles']).to.deep.equal(['x']);
      expect(receiver.asked[0]!.body.data.issuer).to.equal(latchkey.baseUrl);
    });

    it('#78 gets a new secret on demand, and both signatures until the old one ends', async () => {
      const rotated = await latchkey.admin('POST', '/apps/shop/token-hook/rotate-secret', {
        old_expire_in: 3600,
      });
      expect([rotated.status, rotated.body.secret === secret]).to.deep.equal([201, false]);
      await asService();
      const both = receiver.asked.at(-1)!;
      expect([signaturesBy(secret, both), signaturesBy(rotated.body.secret, both)]).to.deep.equal([1, 1]);
      const again = await latchkey.admin('POST', '/apps/shop/token-hook/rotate-secret', { old_expire_in: 0 });
      await asService();
      const one = receiver.asked.at(-1)!;
      const secrets = [secret, rotated.body.secret, again.body.secret];
      expect(secrets.map((value) => signaturesBy(value, one))).to.deep.equal([0, 0, 1]);
      expect(one.headers['webhook-signature']).to.match(/^v1,[A-Za-z0-9+/]+=*$/);
      secret = again.body.secret;
      const rows = await latchkey.sql('select token_hooks::text as row from token_hooks');
      for (const value of secrets)
        for (const part of [value, value.slice('whsec_'.length)])
          expect(rows[0]!['row']).not.to.include(part);
    });
  });
}

const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });

function unavailable(answer: Answer): void {
  expect([answer.status, answer.body], answer.text).to.deep.equal([
    503,
    {
      error: 'temporarily_unavailable',
      error_description: 'the app could not be asked whether to issue tokens, please try again',
    },
  ]);
  expect(answer.headers.get('retry-after')).to.equal('2');
  expect(answer.headers.get('cache-control')).to.equal('no-store');
}
