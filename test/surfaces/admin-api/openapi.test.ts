import { expect } from 'chai';
import { type AdminHost, startAdminHost } from './admin-api-host.ts';

describe('Admin API: its description', () => {
  let host: AdminHost;
  before(async () => {
    host = await startAdminHost();
  });
  after(() => host.end());

  it('is OpenAPI 3.1, public, and names every operation once', async () => {
    const { body } = await host.anonymous
      .get('/api/v1/openapi.json')
      .expect(200)
      .expect('Content-Type', /json/);
    expect(body.openapi).to.match(/^3\.1\./);
    const ids = Object.values(body.paths as object).flatMap((methods) =>
      Object.values(methods as object).map((operation) => operation.operationId),
    );
    expect(ids).to.have.length(host.operations.length);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const operation of host.operations)
      expect(body.paths[operation.path][operation.method.toLowerCase()], operation.path).to.not.equal(
        undefined,
      );
  });

  it('names every parameter that stands in a path', async () => {
    const { body } = await host.anonymous.get('/api/v1/openapi.json').expect(200);
    for (const [path, methods] of Object.entries(
      body.paths as Record<string, Record<string, { parameters: { name: string; in: string }[] }>>,
    )) {
      for (const { parameters } of Object.values(methods)) {
        const named = parameters
          .filter((parameter) => parameter.in === 'path')
          .map((parameter) => `{${parameter.name}}`);
        expect(named.sort(), path).to.deep.equal([...(path.match(/\{\w+\}/g) ?? [])].sort());
      }
    }
  });

  it('comes from the schemas that validate: unknown fields are refused in both', async () => {
    const { body } = await host.anonymous.get('/api/v1/openapi.json').expect(200);
    const schema = body.paths['/apps'].post.requestBody.content['application/json'].schema;
    expect(schema).to.deep.include({ additionalProperties: false, required: ['app_id', 'name'] });
    expect(schema.properties.settings.properties.code_ttl).to.deep.include({
      type: 'integer',
      minimum: 1,
      maximum: 600,
    });
    expect(schema.properties.settings).to.not.have.property('required');
  });

  it('has examples that are accepted', () => {
    for (const { id, body, example } of host.operations) {
      if (body && example) expect(body.safeParse(example).success, id).to.equal(true);
    }
  });

  it('describes what is answered: an app, a user and a page of them fit their schemas', async () => {
    const made = await host
      .call('post', '/apps')
      .send({ app_id: 'described', name: 'Described' })
      .expect(201);
    const client = await host
      .call('post', '/apps/described/clients')
      .send({ name: 'S', type: 'service', scopes: ['a:b'] })
      .expect(201);
    const user = await host
      .call('post', '/apps/described/users')
      .send({ email: 'a@example.com', profile: { name: 'A' } })
      .expect(201);
    const answers: [string, unknown][] = [
      ['createApp', made.body],
      ['createClient', client.body],
      ['createUser', user.body],
      ['listApps', (await host.call('get', '/apps').expect(200)).body],
      ['listUsers', (await host.call('get', '/apps/described/users').expect(200)).body],
      ['listKeys', (await host.call('get', '/apps/described/keys').expect(200)).body],
      [
        'listClientSecrets',
        (await host.call('get', '/apps/described/clients/described/secrets').expect(200)).body,
      ],
      [
        'listUserSessions',
        (await host.call('get', `/apps/described/users/${user.body.user_id}/sessions`).expect(200)).body,
      ],
      [
        'listUserGrants',
        (await host.call('get', `/apps/described/users/${user.body.user_id}/grants`).expect(200)).body,
      ],
      ['listAuditEvents', (await host.call('get', '/apps/described/audit-events').expect(200)).body],
    ];
    for (const [id, body] of answers) {
      const result = host.operations
        .find((operation) => operation.id === id)!
        .response!.schema.safeParse(body);
      expect(result.success, `${id}: ${result.error?.message}`).to.equal(true);
    }
  });

  it('is also a page with every operation and a command to try it, under the strict policy, without a foreign origin', async () => {
    const { text, headers } = await host.anonymous
      .get('/api/docs')
      .set('Accept', 'text/html')
      .expect(200)
      .expect('Content-Type', /html/);
    for (const operation of host.operations) expect(text).to.include(`id="${operation.id}"`);
    expect(text).to.include('$ADMIN_API_KEY');
    expect(headers['content-security-policy']).to.include("default-src 'none'").and.not.include('unsafe');
    expect(text.match(/(?:src|href)="(?!\/|#)[^"]*"/g)).to.equal(null);
  });
});
