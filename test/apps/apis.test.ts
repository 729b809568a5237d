import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp } from '../support/sign-in.ts';

describe('APIs in the Admin API', () => {
  let latchkey: TestLatchkey;
  const add = (appId: string, body: object) => latchkey.admin('POST', `/apps/${appId}/apis`, body);

  before(async () => {
    latchkey = await startTestLatchkey({ driver: 'postgres' });
    await makeApp(latchkey, 'shop');
    await makeApp(latchkey, 'books');
  });
  after(() => latchkey.stop());

  it('are made, read, listed in pages, changed and deleted', async () => {
    const made = await add('shop', {
      identifier: 'https://orders.example',
      name: 'Orders',
      scopes: [{ name: 'orders:read', description: 'See orders' }],
    });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    expect(made.body).to.deep.include({
      identifier: 'https://orders.example',
      scopes: [{ name: 'orders:read', description: 'See orders', default: false }],
      access_token_ttl: null,
      server_clients: [],
    });
    const second = await add('shop', { identifier: 'urn:example:stock', name: 'Stock' });
    const page = await latchkey.admin('GET', '/apps/shop/apis?limit=1');
    expect(page.body.items.map((one: { api_id: string }) => one.api_id)).to.deep.equal([made.body.api_id]);
    const rest = await latchkey.admin('GET', `/apps/shop/apis?limit=1&after=${page.body.next}`);
    expect(rest.body.items.map((one: { api_id: string }) => one.api_id)).to.deep.equal([second.body.api_id]);
    expect(rest.body.next).to.equal(null);
    const path = `/apps/shop/apis/${made.body.api_id}`;
    const changed = await latchkey.admin('PATCH', path, { name: 'All orders', access_token_ttl: 300 });
    expect(changed.body).to.include({ name: 'All orders', access_token_ttl: 300 });
    expect((await latchkey.admin('GET', path)).body).to.deep.equal(changed.body);
    expect((await latchkey.admin('GET', `/apps/books/apis/${made.body.api_id}`)).status).to.equal(404);
    expect((await latchkey.admin('DELETE', `/apps/books/apis/${made.body.api_id}`)).status).to.equal(404);
    expect((await latchkey.admin('DELETE', path)).status).to.equal(204);
    expect((await latchkey.admin('GET', path)).body.code).to.equal('apis.not_found');
    expect((await add('books', { identifier: 'https://orders.example', name: 'Orders' })).status).to.equal(
      201,
    );
  });

  it('give an identifier to one app of the deployment, however it is spelt, also of sixteen at once', async () => {
    const spellings = ['https://one.example', 'https://ONE.example/', 'https://one.example:443'];
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        add(i % 2 ? 'shop' : 'books', { identifier: spellings[i % 3], name: 'One' }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1);
    const lost = answers.filter(({ status }) => status !== 201);
    expect(new Set(lost.map(({ status, body }) => `${status} ${body.code}`))).to.deep.equal(
      new Set(['409 apis.identifier_taken']),
    );
  });

  it('refuse identifiers that are no absolute URI or are the deployment’s own', async () => {
    const bad = [
      'orders',
      '/orders',
      'https://orders.example/#top',
      'https://a:b@orders.example',
      'javascript:alert(1)',
      'https://orders.example/ a',
      `${latchkey.baseUrl}/api/v1`,
      `${latchkey.baseUrl}/auth/books/userinfo`,
      'urn:latchkey:app:books',
    ];
    for (const identifier of bad) {
      const answer = await add('shop', { identifier, name: 'Bad' });
      expect([answer.status, answer.body.code], identifier).to.deep.equal([400, 'apis.identifier_invalid']);
    }
  });

  it('keep their scopes apart from the plain scopes of clients, either way round', async () => {
    const client = { name: 'Worker', type: 'service', scopes: ['things:read'] };
    expect((await latchkey.admin('POST', '/apps/shop/clients', client)).status).to.equal(201);
    const scopes = [{ name: 'things:read' }];
    const taken = await add('shop', { identifier: 'https://things.example', name: 'Things', scopes });
    expect([taken.status, taken.body.code]).to.deep.equal([409, 'apis.scope_in_use']);
    const made = await add('books', { identifier: 'https://things.example', name: 'Things', scopes });
    expect(made.status).to.equal(201);
    const reverse = await latchkey.admin('POST', '/apps/books/clients', client);
    expect([reverse.status, reverse.body.code]).to.deep.equal([409, 'clients.scope_of_api']);
    for (const name of ['openid', 'two words', 'ümlaut']) {
      const bad = await add('shop', { identifier: 'https://x.example', name: 'X', scopes: [{ name }] });
      expect([bad.status, bad.body.code], name).to.deep.equal([400, 'apis.scope_invalid']);
    }
  });

  it('name as their servers only confidential clients of their app', async () => {
    const spa = await latchkey.admin('POST', '/apps/shop/clients', { name: 'Spa', type: 'spa' });
    for (const clientId of ['books', spa.body.client_id, 'cli_none']) {
      const answer = await add('shop', {
        identifier: 'https://servers.example',
        name: 'Servers',
        server_clients: [clientId],
      });
      expect([answer.status, answer.body.code], clientId).to.deep.equal([400, 'apis.server_client_invalid']);
    }
  });

  it('are not readable by the server’s role across apps', async () => {
    expect(
      await latchkey.sql(`select relforcerowsecurity from pg_class where relname = 'apis'`),
    ).to.deep.equal([{ relforcerowsecurity: true }]);
    const [may] = await latchkey.sql(
      `select has_table_privilege('latchkey_server', 'api_routes', 'select') as routes, has_table_privilege('latchkey_server', 'apis', 'update') as apis`,
    );
    expect(may).to.deep.equal({ routes: false, apis: false });
  });
});
