import { expect } from 'chai';
import { ADMIN_KEY, type AdminHost, startAdminHost } from './admin-api-host.ts';

const newApp = (app_id: string, more: object = {}) => ({ app_id, name: app_id, ...more });

describe('Admin API: what it refuses', () => {
  let host: AdminHost;
  before(async () => {
    host = await startAdminHost();
    await host
      .call('post', '/apps')
      .send(
        newApp('shop', { redirect_uris: ['https://shop.example/cb'], settings: { password_min_length: 8 } }),
      )
      .expect(201);
    await host.call('post', '/apps').send(newApp('other')).expect(201);
    await host
      .call('post', '/apps')
      .send(newApp('fresh-spa', { type: 'spa' }))
      .expect(201);
    await host.call('post', '/apps').send(newApp('short-lived')).expect(201);
    await host.call('delete', '/apps/short-lived?confirm=short-lived').expect(204);
  });
  after(() => host.end());

  const addUser = async (email: string, app = 'shop'): Promise<string> => {
    const { body } = await host.call('post', `/apps/${app}/users`).send({ email }).expect(201);
    return body.user_id;
  };
  const expectProblem = (
    answer: { status: number; type: string; body: Record<string, unknown> },
    status: number,
    code: string,
    field?: string,
  ) => {
    expect(answer.body, JSON.stringify(answer.body)).to.include({
      status,
      code,
      ...(field === undefined ? {} : { field }),
    });
    expect(answer.status).to.equal(status);
    expect(answer.type).to.equal('application/problem+json');
    expect(answer.body).to.include.keys('type', 'title', 'detail', 'request_id');
  };

  describe('400', () => {
    const bad: [string, 'post' | 'patch', string, object, string, string][] = [
      [
        'an unknown field',
        'post',
        '/apps',
        newApp('x-app', { colour: 'red' }),
        'request.unknown_field',
        'colour',
      ],
      [
        'an unknown setting',
        'post',
        '/apps',
        newApp('x-app', { settings: { colour: 'red' } }),
        'request.unknown_field',
        'settings.colour',
      ],
      [
        'an unknown field inside another',
        'post',
        '/apps/shop/users',
        { email: 'x@example.com', profile: { address: { planet: 'x' } } },
        'request.unknown_field',
        'profile.address.planet',
      ],
      [
        'a field that only we set',
        'post',
        '/apps/shop/users',
        { email: 'x@example.com', user_id: 'usr_1' },
        'request.unknown_field',
        'user_id',
      ],
      ['a value of another kind', 'post', '/apps', { app_id: 7, name: 'x' }, 'request.invalid', 'app_id'],
      ['a malformed app_id', 'post', '/apps', newApp('Wolf Banana'), 'request.invalid', 'app_id'],
      ['an app_id that ends in a dash', 'post', '/apps', newApp('wolf-'), 'request.invalid', 'app_id'],
      ['a missing value', 'post', '/apps/shop/clients', { name: 'x' }, 'request.invalid', 'type'],
      [
        'a setting out of range',
        'patch',
        '/apps/shop',
        { settings: { code_ttl: 0 } },
        'request.invalid',
        'settings.code_ttl',
      ],
      [
        'settings that do not go together',
        'patch',
        '/apps/shop',
        { settings: { methods: { password: false, magic_link: false } } },
        'apps.settings_invalid',
        'settings.methods',
      ],
      ['a reserved name', 'post', '/apps', newApp('authorize'), 'apps.name_reserved', 'app_id'],
      [
        'a redirect URI that is not https',
        'post',
        '/apps',
        newApp('x-app', { redirect_uris: ['http://x.example/'] }),
        'clients.redirect_uri_invalid',
        'redirect_uris.0',
      ],
      [
        'a redirect URI of a service account',
        'post',
        '/apps/shop/clients',
        { name: 'x', type: 'service', redirect_uris: ['https://x.example/'] },
        'clients.not_for_type',
        'redirect_uris',
      ],
      [
        'a secret for a client in a browser',
        'post',
        '/apps/shop/clients',
        { name: 'x', type: 'spa', settings: { token_endpoint_auth_method: 'client_secret_post' } },
        'clients.not_for_type',
        'settings.token_endpoint_auth_method',
      ],
      [
        'a public client without PKCE',
        'post',
        '/apps/shop/clients',
        { name: 'x', type: 'native', settings: { pkce_required: false } },
        'clients.not_for_type',
        'settings.pkce_required',
      ],
      [
        'a standard scope handed out',
        'post',
        '/apps/shop/clients',
        { name: 'x', type: 'service', scopes: ['openid'] },
        'clients.scope_invalid',
        'scopes',
      ],
      [
        'an address that is none',
        'post',
        '/apps/shop/users',
        { email: 'a@b,c@d' },
        'users.email_invalid',
        'email',
      ],
      [
        'a phone number that is none',
        'post',
        '/apps/shop/users',
        { email: 'x@example.com', phone: '044 123' },
        'users.phone_invalid',
        'phone',
      ],
      [
        'a password that is too short',
        'post',
        '/apps/shop/users',
        { email: 'x@example.com', password: 'seven77' },
        'users.password_too_short',
        'password',
      ],
      [
        'text that no database keeps',
        'post',
        '/apps/shop/users',
        { email: 'x@example.com', metadata: { note: 'a\0b' } },
        'request.invalid',
        'metadata.note',
      ],
      [
        'half of a character',
        'post',
        '/apps/shop/users',
        { email: 'x@example.com', metadata: { note: '\ud800' } },
        'request.invalid',
        'metadata.note',
      ],
    ];
    for (const [what, method, path, body, code, field] of bad) {
      it(`for ${what}, naming the field`, async () => {
        expectProblem(await host.call(method, path).send(body), 400, code, field);
      });
    }

    it('for JSON that is malformed, and for JSON that is no object', async () => {
      const send = (text: string) =>
        host.call('post', '/apps').set('Content-Type', 'application/json').send(text);
      expectProblem(await send('{"app_id":'), 400, 'request.malformed');
      expectProblem(await send('[]'), 400, 'request.invalid');
      expectProblem(await send('{"__proto__":{"a":1}}'), 400, 'request.malformed');
    });

    it('for a query parameter that is given twice, unknown, or out of range', async () => {
      expectProblem(await host.call('get', '/apps?limit=1&limit=2'), 400, 'request.duplicate_field', 'limit');
      expectProblem(await host.call('get', '/apps?offset=1'), 400, 'request.unknown_field', 'offset');
      expectProblem(await host.call('get', '/apps/shop?x=1'), 400, 'request.unknown_field', 'x');
      for (const limit of ['0', '201', '-1', '1.5', 'many', ''])
        expectProblem(await host.call('get', `/apps?limit=${limit}`), 400, 'request.invalid', 'limit');
      for (const after of ['!', 'a', 'AAAA=', '%00'])
        expectProblem(await host.call('get', `/apps?after=${after}`), 400, 'request.invalid', 'after');
    });

    it('for deleting an app without saying which, twice', async () => {
      expectProblem(await host.call('delete', '/apps/shop'), 400, 'apps.confirmation_missing', 'confirm');
      expectProblem(
        await host.call('delete', '/apps/shop?confirm=other'),
        400,
        'apps.confirmation_missing',
        'confirm',
      );
    });
  });

  describe('401', () => {
    it('on every operation, with a challenge, for no key, a wrong key and a wrong scheme', async () => {
      for (const operation of host.operations) {
        const path = `/api/v1${operation.path.replaceAll(/\{\w+\}/g, 'shop')}`;
        const answer = await host.anonymous[operation.method.toLowerCase() as 'get'](path);
        expectProblem(answer, 401, 'request.unauthenticated');
        expect(answer.headers['www-authenticate']).to.equal('Bearer realm="latchkey"');
      }
      for (const credentials of [
        `Bearer ${ADMIN_KEY}x`,
        `Bearer ${ADMIN_KEY.slice(1)}`,
        'Bearer',
        `Basic ${ADMIN_KEY}`,
      ]) {
        expectProblem(
          await host.anonymous.get('/api/v1/apps').set('Authorization', credentials),
          401,
          'request.unauthenticated',
        );
      }
    });

    it('before anything is said about routes, bodies or apps', async () => {
      expectProblem(await host.anonymous.get('/api/v1/nothing'), 401, 'request.unauthenticated');
      expectProblem(await host.anonymous.put('/api/v1/apps'), 401, 'request.unauthenticated');
      expectProblem(
        await host.anonymous.post('/api/v1/apps').set('Content-Type', 'text/plain').send('x'),
        401,
        'request.unauthenticated',
      );
    });

    it('for everyone where no key is configured', async () => {
      const closed = await startAdminHost({ adminApiKey: undefined });
      try {
        for (const key of [ADMIN_KEY, 'undefined', '']) {
          expect(
            (await closed.anonymous.get('/api/v1/apps').set('Authorization', `Bearer ${key}`)).status,
          ).to.equal(401);
        }
      } finally {
        await closed.end();
      }
    });

    it('is in the audit trail when a key was wrong', async () => {
      const { body } = await host.call('get', '/apps/console/audit-events?limit=200').expect(200);
      expect(body.items.map((event: { type: string }) => event.type)).to.include('break_glass.refused');
    });
  });

  describe('404', () => {
    it('for routes and apps that do not exist, and for ids that could not', async () => {
      expectProblem(await host.call('get', '/nothing'), 404, 'request.not_found');
      expectProblem(await host.call('get', '/apps/nobody-here'), 404, 'apps.not_found');
      expectProblem(await host.call('get', '/apps/nobody-here/users'), 404, 'apps.not_found');
      for (const id of ['usr_1', '%00', "usr_'or'1", 'me'])
        expect((await host.call('get', `/apps/shop/users/${id}`)).status, id).to.equal(404);
      expect((await host.call('get', '/apps/shop/users/%E0%A4%A')).status).to.be.oneOf([400, 404]);
    });

    it('for everything of another app', async () => {
      const user = await addUser('mine@example.com');
      const { body: client } = await host
        .call('post', '/apps/shop/clients')
        .send({ name: 'Mine', type: 'service' })
        .expect(201);
      const { body: secrets } = await host
        .call('get', `/apps/shop/clients/${client.client_id}/secrets`)
        .expect(200);
      const foreign: ['get' | 'post' | 'patch' | 'delete', string][] = [
        ['get', `users/${user}`],
        ['patch', `users/${user}`],
        ['delete', `users/${user}`],
        ['get', `users/${user}/sessions`],
        ['delete', `users/${user}/sessions`],
        ['get', `users/${user}/grants`],
        ['get', `clients/${client.client_id}`],
        ['patch', `clients/${client.client_id}`],
        ['delete', `clients/${client.client_id}`],
        ['get', `clients/${client.client_id}/secrets`],
        ['post', `clients/${client.client_id}/secrets`],
        ['post', `clients/${client.client_id}/secrets/rotate`],
        ['delete', `clients/${client.client_id}/secrets/${secrets.items[0].secret_id}`],
        ['get', 'clients/shop'],
      ];
      for (const [method, path] of foreign) {
        const answer = await host
          .call(method, `/apps/other/${path}`)
          .send(method === 'get' || method === 'delete' ? undefined : {});
        expect(answer.status, `${method} ${path}`).to.equal(404);
      }
      await host.call('get', `/apps/shop/users/${user}`).expect(200);
      await host.call('get', `/apps/shop/clients/${client.client_id}`).expect(200);
    });

    it('for sessions and grants that are not there', async () => {
      const user = await addUser('no-sessions@example.com');
      expectProblem(
        await host.call('delete', `/apps/shop/users/${user}/sessions/ses_${'0'.repeat(32)}`),
        404,
        'sessions.not_found',
      );
      expectProblem(
        await host.call('delete', `/apps/shop/users/${user}/grants/nothing-here`),
        404,
        'grants.not_found',
      );
    });
  });

  describe('405', () => {
    it('names the methods that would do', async () => {
      const answer = await host.anonymous
        .put('/api/v1/apps')
        .set('Authorization', `Bearer ${ADMIN_KEY}`)
        .send({});
      expectProblem(answer, 405, 'request.method_not_allowed');
      expect(answer.headers['allow']).to.equal('GET, HEAD, POST');
    });
  });

  describe('409', () => {
    it('for a name or an address that is taken, deleted names included', async () => {
      expectProblem(await host.call('post', '/apps').send(newApp('shop')), 409, 'apps.name_taken', 'app_id');
      expectProblem(
        await host.call('post', '/apps').send(newApp('short-lived')),
        409,
        'apps.name_taken',
        'app_id',
      );
      const id = await addUser('taken@example.com');
      const other = await addUser('not-taken@example.com');
      expectProblem(
        await host.call('post', '/apps/shop/users').send({ email: 'TAKEN@example.com' }),
        409,
        'users.email_taken',
        'email',
      );
      expectProblem(
        await host
          .call('patch', `/apps/shop/users/${other}`)
          .send({ email: 'taken@example.com', metadata: { a: 1 } }),
        409,
        'users.email_taken',
        'email',
      );
      expect((await host.call('get', `/apps/shop/users/${other}`).expect(200)).body).to.deep.include({
        email: 'not-taken@example.com',
        metadata: {},
      });
      await host.call('patch', `/apps/shop/users/${id}`).send({ phone: '+41440000001' }).expect(200);
      expectProblem(
        await host
          .call('post', '/apps/shop/users')
          .send({ email: 'phone@example.com', phone: '+41440000001' }),
        409,
        'users.phone_taken',
        'phone',
      );
      expect(
        (await host.call('get', '/apps/shop/users?email=phone@example.com').expect(200)).body.items,
      ).to.have.length(0);
      await addUser('taken@example.com', 'other');
    });

    it('for the first client, built-in apps, an eleventh secret, and a secret of a public client', async () => {
      expectProblem(await host.call('delete', '/apps/shop/clients/shop'), 409, 'clients.first_client');
      expectProblem(await host.call('delete', '/apps/console?confirm=console'), 409, 'apps.built_in');
      expectProblem(await host.call('patch', '/apps/console').send({ disabled: true }), 409, 'apps.built_in');
      expectProblem(
        await host.call('post', '/apps/fresh-spa/clients/fresh-spa/secrets').send({}),
        409,
        'secrets.public_client',
      );
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => host.call('post', '/apps/shop/clients/shop/secrets').send({})),
      );
      expect(answers.filter((answer) => answer.status === 201)).to.have.length(9);
      expectProblem(answers.find((answer) => answer.status !== 201)!, 409, 'secrets.too_many');
    });

    it('for an Idempotency-Key of another request, and for one that is being worked on', async () => {
      const send = (name: string, key: string) =>
        host.call('post', '/apps/shop/clients').set('Idempotency-Key', key).send({ name, type: 'service' });
      await send('A', 'mismatch').expect(201);
      expectProblem(await send('B', 'mismatch'), 409, 'idempotency.mismatch');
      const answers = await Promise.all(Array.from({ length: 16 }, () => send('C', 'at-once')));
      const made = new Set(
        answers.filter((answer) => answer.status === 201).map((answer) => answer.body.client_id),
      );
      expect(made.size).to.equal(1);
      for (const answer of answers)
        if (answer.status !== 201) expectProblem(answer, 409, 'idempotency.in_progress');
    });

    it('is not remembered for an Idempotency-Key whose request was refused', async () => {
      const send = (email: string) =>
        host.call('post', '/apps/shop/users').set('Idempotency-Key', 'retry').send({ email });
      expect((await send('taken@example.com')).status).to.equal(409);
      expect((await send('free-now@example.com')).status).to.equal(201);
    });
  });

  describe('413', () => {
    it('for a body above 1 MB', async () => {
      expectProblem(
        await host.call('post', '/apps').send({ app_id: 'big', name: 'x'.repeat(1_100_000) }),
        413,
        'request.too_large',
      );
    });
  });

  describe('415', () => {
    it('for a body that is no JSON', async () => {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=utf-16',
      ]) {
        expectProblem(
          await host.call('post', '/apps').set('Content-Type', type).send('app_id=x'),
          415,
          'request.unsupported_media_type',
        );
      }
    });
  });

  describe('429', () => {
    it('for who keeps trying keys; who has the key gets in all the same', async () => {
      let answer = await host.anonymous.get('/api/v1/apps').set('Authorization', 'Bearer wrong');
      for (let i = 0; i < 25 && answer.status === 401; i++)
        answer = await host.anonymous.get('/api/v1/apps').set('Authorization', 'Bearer wrong');
      expectProblem(answer, 429, 'request.limited');
      expect(answer.headers['retry-after']).to.equal('60');
      await host.call('get', '/apps').expect(200);
    });
  });
});
