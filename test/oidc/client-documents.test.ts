import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import * as oidc from 'openid-client';
import { isDocumentUrl } from '../../src/apps/registrations/document.ts';
import { sweepRegistrations } from '../../src/apps/registrations/sweep.ts';
import { type Driver, drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import { authorizationRequest, issuerOf, makeApp, makeUser, PASSWORD, REDIRECT } from '../support/sign-in.ts';
import { expectAskedEachTime } from '../support/consent.ts';
import { type Answer, atOnce, call } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';

describe('an address as client_id', () => {
  it('is https with a path, written in the one way that URL parsers write it', () => {
    expect(isDocumentUrl('https://client.example/app.json', [])).to.equal(true);
    expect(isDocumentUrl('https://client.example:8443/a/b', [])).to.equal(true);
    for (const id of [
      'http://client.example/app.json',
      'https://client.example',
      'https://client.example/',
      'https://Client.example/app',
      'https://client.example:443/app',
      'https://user@client.example/app',
      'https://client.example/a/../app',
      'https://client.example/./app',
      'https://client.example/%2e%2e/app',
      'https://client.example/app#x',
      'https://client.example/app?x=1',
      'https://client.example/a b',
      'https:/client.example/app',
      'https://client.example\\app',
      `https://client.example/${'a'.repeat(600)}`,
      'cli_x',
    ])
      expect(isDocumentUrl(id, []), id).to.equal(false);
    expect(isDocumentUrl('http://127.0.0.1:8080/app', ['127.0.0.1:8080'])).to.equal(true);
    expect(isDocumentUrl('http://127.0.0.1:8081/app', ['127.0.0.1:8080'])).to.equal(false);
  });
});

for (const driver of drivers) {
  describe(`clients that are documents, on ${driver}`, () => {
    let one: TestLatchkey;
    let two: TestLatchkey;
    let database: { host: string; database: string };
    let site: Server;
    let siteUrl: string;
    const published = new Map<string, { status?: number; type?: string; text: string }>();
    const asked: string[] = [];

    before(async () => {
      site = createServer((request, response) => {
        asked.push(request.url!);
        const found = published.get(request.url!);
        response.writeHead(found ? (found.status ?? 200) : 404, {
          'content-type': found?.type ?? 'application/json',
          'cache-control': 'max-age=600',
        });
        response.end(found?.text ?? '');
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => site.once('listening', resolve));
      const host = `127.0.0.1:${(site.address() as AddressInfo).port}`;
      siteUrl = `http://${host}`;
      database = await createDatabase();
      const env = {
        OUTBOUND_ALLOWED_HOSTS: host,
        ENCRYPTION_KEYS: randomBytes(32).toString('base64url'),
      };
      one = await start(driver, env);
      two = await start(driver, { ...env, BASE_URL: one.baseUrl });
      const settings = {
        client_id_metadata_documents: true,
        registered_clients: { per_network_per_hour: 1000 },
      };
      await makeApp(one, 'shop', { settings });
      await makeApp(one, 'closed');
      await makeUser(one, 'shop', EMAIL);
    });
    after(async () => {
      await Promise.all([one.stop(), two.stop()]);
      await dropDatabase(database);
      site.close();
    });
    const start = (on: Driver, env: Record<string, string>) =>
      startTestLatchkey({ driver: on, database, env });

    /** Publishes a document and says its address. */
    const publish = (name: string, more: Record<string, unknown> = {}, raw?: object): string => {
      const url = `${siteUrl}/${name}`;
      const document = { client_id: url, client_name: 'Agent', redirect_uris: [REDIRECT], ...more };
      published.set(`/${name}`, { text: JSON.stringify(document), ...raw });
      return url;
    };
    const authorize = (clientId: string, appId = 'shop', at = one): Promise<Answer> =>
      call(
        `${at.baseUrl}/auth/${appId}/authorize?${new URLSearchParams({
          client_id: clientId,
          redirect_uri: REDIRECT,
          response_type: 'code',
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
        }).toString()}`,
        { headers: { accept: 'text/html' } },
      );

    it('are off unless the app has switched them on, and no address is then asked', async () => {
      const url = publish('off');
      expect((await authorize(url, 'closed')).status).to.equal(400);
      const shared = await call(
        `${one.baseUrl}/authorize?client_id=${encodeURIComponent(url)}&redirect_uri=${REDIRECT}&response_type=code`,
        { headers: { accept: 'text/html' } },
      );
      expect(shared.status).to.equal(400);
      expect(asked).to.not.include('/off');
      const metadata = async (issuer: string) =>
        (await call(`${issuer}/.well-known/openid-configuration`)).body.client_id_metadata_document_supported;
      expect(await metadata(one.baseUrl)).to.equal(undefined);
      expect(await metadata(issuerOf(one, 'closed', 'own'))).to.equal(undefined);
      expect(await metadata(issuerOf(one, 'shop', 'own'))).to.equal(true);
    });

    it('come from discovery to tokens, with consent that shows where the document is, each time', async () => {
      const url = publish('flow', { grant_types: ['authorization_code', 'refresh_token'] });
      const configuration = await oidc.discovery(
        new URL(issuerOf(one, 'shop', 'own')),
        url,
        undefined,
        oidc.None(),
        { execute: [oidc.allowInsecureRequests], algorithm: 'oauth2' },
      );
      const request = await authorizationRequest(configuration, { prompt: 'consent' });
      const agent = one.agent();
      const page = await agent.open(request.url.href);
      const consent = await agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect(consent.html).to.include(new URL(siteUrl).host).and.include('Nobody has checked this program');
      const done = await agent.submit(consent, { decision: 'allow' }, { ending: '/consent' });
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(done.url), {
        pkceCodeVerifier: request.verifier,
        expectedState: request.state,
        expectedNonce: request.nonce,
      });
      expect(tokens.claims()!.aud).to.equal(url);
      await expectAskedEachTime(agent, configuration);
      expect((await oidc.refreshTokenGrant(configuration, tokens.refresh_token!)).access_token).to.be.a(
        'string',
      );
      const listed = await one.admin('GET', `/apps/shop/clients/${encodeURIComponent(url)}`);
      expect([listed.status, listed.body.client_id]).to.deep.equal([200, url]);
      expect(listed.body.settings.first_party).to.equal(false);
      const ended = await one.admin('DELETE', `/apps/shop/clients/${encodeURIComponent(url)}`);
      expect(ended.status).to.equal(204);
    });

    it('are read once for many requests, and known to the other instance at once', async () => {
      for (const name of ['many', 'more', 'most', 'still', 'yet']) {
        const url = publish(name);
        const answers = await atOnce(16, () => authorize(url));
        expect(answers.map(({ status }) => status)).to.deep.equal(Array(16).fill(303));
        expect((await authorize(url, 'shop', two)).status).to.equal(303);
        expect(asked.filter((path) => path === `/${name}`)).to.have.length(1);
      }
    });

    it('that break a rule of the draft are refused with a page that names no address', async () => {
      const bad: [string, Record<string, unknown>, object?][] = [
        ['other-id', { client_id: `${siteUrl}/elsewhere` }],
        ['no-id', { client_id: undefined }],
        ['secret', { client_secret: 'x' }],
        ['expiry', { client_secret_expires_at: 0 }],
        ['basic', { token_endpoint_auth_method: 'client_secret_basic' }],
        ['hs', { token_endpoint_auth_method: 'client_secret_jwt' }],
        ['service', { grant_types: ['client_credentials'] }],
        ['redirect', { redirect_uris: ['http://evil.test/cb'] }],
        ['none', { redirect_uris: [] }],
        ['html', {}, { type: 'text/html' }],
        ['gone', {}, { status: 410 }],
        ['moved', {}, { status: 302 }],
        ['large', { padding: 'x'.repeat(20_000) }],
        ['list', {}, { text: '[]' }],
        ['broken', {}, { text: '{' }],
      ];
      for (const [name, document, raw] of bad) {
        const answer = await authorize(publish(name, document, raw));
        expect(answer.status, name).to.equal(400);
        expect(answer.headers.get('location'), name).to.equal(null);
        expect(answer.text).to.not.include(siteUrl);
      }
      const rows = await one.sql(`select client_id from clients where client_id = any($1)`, [
        bad.map(([name]) => `${siteUrl}/${name}`),
      ]);
      expect(rows).to.deep.equal([]);
    });

    it('that lie in a private network are not asked', async () => {
      expect((await authorize('https://127.0.0.1:9/app')).status).to.equal(400);
      expect((await authorize('https://169.254.169.254/latest')).status).to.equal(400);
    });

    it('are read again when HTTP says so, and are then what they say', async () => {
      const url = publish('changing');
      expect((await authorize(url)).status).to.equal(303);
      publish('changing', { redirect_uris: ['https://other.test/cb'] });
      expect((await authorize(url)).status, 'still good').to.equal(303);
      await one.sql(`update registered_clients set good_until = now() where client_id = $1`, [url]);
      expect((await authorize(url)).status, 'another redirect URI by now').to.equal(400);
      published.delete('/changing');
      await one.sql(`update registered_clients set good_until = now() where client_id = $1`, [url]);
      expect((await authorize(url)).status, 'withdrawn').to.equal(400);
    });

    it('that nobody allowed anything make room, and are forgotten in time', async () => {
      await one.admin('PATCH', '/apps/shop', { settings: { registered_clients: { most: 3 } } });
      await one.sql(`delete from clients where client_id like 'http%'`);
      for (let i = 0; i < 5; i += 1) expect((await authorize(publish(`room-${i}`))).status).to.equal(303);
      const known = async () =>
        (await one.sql(`select client_id from clients where client_id like 'http%' order by 1`)).map((row) =>
          String(row['client_id']).slice(siteUrl.length),
        );
      expect(await known()).to.deep.equal(['/room-2', '/room-3', '/room-4']);
      await one.sql(
        `update registered_clients set seen_at = now() - interval '8 days' where client_id like '%room-3'`,
      );
      await sweepRegistrations({
        operatorDb: one.latchkey.stores.operatorDb,
        registry: { forget: () => {} },
      } as unknown as Parameters<typeof sweepRegistrations>[0]);
      expect(await known()).to.deep.equal(['/room-2', '/room-4']);
    });

    it('are invented by one network so often and no more', async () => {
      await one.admin('PATCH', '/apps/shop', {
        settings: { registered_clients: { per_network_per_hour: 1 } },
      });
      const answer = await authorize(publish('too-many'));
      expect(answer.status).to.equal(429);
      expect(asked).to.not.include('/too-many');
    });
  });
}
