import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { JWK } from 'jose';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeAssertion, makePair, type SigningPair, withAssertion } from '../support/assertions.ts';
import { makeApp } from '../support/sign-in.ts';
import { type Answer, atOnce, call } from '../support/token-calls.ts';
import { createRemoteKeys } from '../../src/oidc/remote-keys.ts';

describe('keys that a client publishes (jwks_uri)', () => {
  let latchkey: TestLatchkey;
  let site: Server;
  let siteUrl: string;
  let pair: SigningPair;
  const published = { keys: [] as JWK[], status: 200, headers: {} as Record<string, string>, asked: 0 };

  before(async () => {
    pair = await makePair('ES256');
    site = createServer((_request, response) => {
      published.asked += 1;
      response.writeHead(published.status, { 'content-type': 'application/json', ...published.headers });
      response.end(JSON.stringify({ keys: published.keys }));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => site.once('listening', resolve));
    siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    latchkey = await startTestLatchkey({
      env: { OUTBOUND_ALLOWED_HOSTS: `127.0.0.1:${(site.address() as AddressInfo).port}` },
    });
    await makeApp(latchkey, 'shop');
  });
  beforeEach(() => Object.assign(published, { keys: [pair.publicJwk], status: 200, headers: {}, asked: 0 }));
  after(async () => {
    await latchkey.stop();
    site.close();
  });

  const makeClient = async (jwksUri: string): Promise<string> => {
    const settings = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: jwksUri };
    const made = await latchkey.admin('POST', '/apps/shop/clients', { name: 'R', type: 'service', settings });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    return made.body.client_id;
  };
  const send = async (clientId: string, kid = 'k1'): Promise<Answer> =>
    call(`${latchkey.baseUrl}/token`, {
      method: 'POST',
      body: withAssertion(
        await makeAssertion({ clientId, audience: latchkey.baseUrl, key: pair.privateKey, header: { kid } }),
      ),
    });

  it('are fetched when first needed, once for many requests at once, and then remembered', async () => {
    const client = await makeClient(`${siteUrl}/once`);
    expect(published.asked).to.equal(0);
    const answers = await atOnce(8, () => send(client));
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(8).fill(200));
    expect((await send(client)).status).to.equal(200);
    expect(published.asked).to.equal(1);
  });

  it('an invented kid does not make us ask again and again', async () => {
    const client = await makeClient(`${siteUrl}/invented`);
    expect((await send(client)).status).to.equal(200);
    for (const kid of ['a', 'b', 'c']) {
      const refused = await send(client, kid);
      expect([refused.status, refused.body.error]).to.deep.equal([401, 'invalid_client']);
    }
    expect(published.asked).to.equal(1);
  });

  it('an address that fails refuses the client, and is not asked by every request', async () => {
    const client = await makeClient(`${siteUrl}/failing`);
    published.status = 500;
    for (let i = 0; i < 3; i += 1) {
      const refused = await send(client);
      expect([refused.status, refused.body.error]).to.deep.equal([401, 'invalid_client']);
    }
    expect(published.asked).to.equal(1);
  });

  it('an address in the private network is not asked where the operator has not allowed it', async () => {
    const client = await makeClient('http://127.0.0.1:9/keys');
    const refused = await send(client);
    expect([refused.status, refused.body.error]).to.deep.equal([401, 'invalid_client']);
  });

  it('private and symmetric keys that a client publishes by mistake are left out', async () => {
    const client = await makeClient(`${siteUrl}/mistake`);
    published.keys = [
      { ...pair.publicJwk, d: 'AAAA' },
      { kty: 'oct', k: 'AAAA', kid: 'k1' },
    ];
    expect((await send(client)).status).to.equal(401);
  });

  describe('as time passes', () => {
    const realNow = Date.now;
    let ahead = 0;
    beforeEach(() => {
      ahead = 0;
      Date.now = () => realNow() + ahead;
    });
    afterEach(() => {
      Date.now = realNow;
    });

    const source = () => createRemoteKeys((url) => fetch(url))('shop', `${siteUrl}/${Math.trunc(ahead)}`);
    const kids = (from: ReturnType<typeof source>): unknown[] =>
      from.selectForVerify({ alg: 'ES256' }).map((key) => key['kid']);

    it('a new kid is found a minute later, and a withdrawn key dies with the life of its answer', async () => {
      published.headers = { 'cache-control': 'public, max-age=120' };
      const keys = source();
      await keys.refresh();
      expect(kids(keys)).to.deep.equal(['k1']);
      published.keys = [{ ...pair.publicJwk, kid: 'k2' }];
      ahead = 30_000;
      expect(keys.fresh(), 'too soon to ask').to.equal(true);
      await keys.refresh();
      expect(kids(keys)).to.deep.equal(['k1']);
      ahead = 61_000;
      expect(keys.fresh()).to.equal(false);
      await keys.refresh();
      expect(kids(keys)).to.deep.equal(['k2']);
      ahead = 61_000 + 121_000;
      expect(kids(keys), 'older than their answer allowed').to.deep.equal([]);
    });

    it('a year of max-age counts as an hour, no-store as a minute, and silence as five minutes', async () => {
      for (const [cacheControl, seconds] of [
        ['max-age=31536000', 3600],
        ['no-store', 60],
        ['', 300],
      ] as const) {
        ahead = 0;
        published.headers = cacheControl ? { 'cache-control': cacheControl } : {};
        const keys = source();
        await keys.refresh();
        ahead = (seconds - 2) * 1000;
        expect(kids(keys), cacheControl).to.deep.equal(['k1']);
        ahead = (seconds + 2) * 1000;
        expect(kids(keys), cacheControl).to.deep.equal([]);
      }
    });

    it('what is still good goes on while the address fails', async () => {
      published.headers = { 'cache-control': 'max-age=600' };
      const keys = source();
      await keys.refresh();
      published.status = 503;
      ahead = 120_000;
      await keys.refresh();
      expect(kids(keys)).to.deep.equal(['k1']);
      ahead = 601_000;
      await keys.refresh().then(
        () => expect.fail('was taken'),
        (error: Error) => expect(error.message).to.equal('invalid_client'),
      );
    });
  });
});
