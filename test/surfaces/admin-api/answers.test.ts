import { expect } from 'chai';
import { ADMIN_KEY, type AdminHost, startAdminHost } from './admin-api-host.ts';

const newApp = (app_id: string, more: object = {}) => ({ app_id, name: app_id, ...more });

describe('Admin API: what it does', () => {
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
  });
  after(() => host.end());

  const addUser = async (email: string, app = 'shop'): Promise<string> => {
    const { body } = await host.call('post', `/apps/${app}/users`).send({ email }).expect(201);
    return body.user_id;
  };

  describe('200', () => {
    it('lists apps page by page with an opaque cursor', async () => {
      const ids: string[] = [];
      for (let next: string | null = ''; next !== null; ) {
        const { body }: { body: { items: { app_id: string }[]; next: string | null } } = await host
          .call('get', `/apps?limit=1${next && `&after=${next}`}`)
          .expect(200);
        expect(body.items).to.have.length(1);
        ids.push(body.items[0]!.app_id);
        next = body.next;
      }
      expect(ids).to.deep.equal([...ids].sort());
      expect(ids).to.include.members(['console', 'demo', 'other', 'shop']);
    });

    it('reads an app as it was made, with its own issuer and full settings, and never a secret', async () => {
      const { body } = await host.call('get', '/apps/shop').expect(200);
      expect(body).to.deep.include({
        app_id: 'shop',
        client_id: 'shop',
        type: 'web',
        issuer: 'http://localhost:3000/auth/shop',
        redirect_uris: ['https://shop.example/cb'],
        disabled: false,
      });
      expect(body.settings).to.deep.include({ password_min_length: 8, code_ttl: 60 });
      expect(JSON.stringify(body)).to.not.include('secret');
    });

    it('merges settings and replaces lists', async () => {
      const change = {
        settings: { code_ttl: 30 },
        redirect_uris: ['https://shop.example/cb', 'http://localhost:8080/cb'],
      };
      const { body } = await host.call('patch', '/apps/shop').send(change).expect(200);
      expect(body.settings).to.include({ code_ttl: 30, password_min_length: 8 });
      expect(body.redirect_uris).to.have.length(2);
    });

    it('disables and enables an app, and takes it from service', async () => {
      await host.call('patch', '/apps/other').send({ disabled: true }).expect(200);
      expect(
        await host.deps.db.query('other', {
          name: '',
          text: 'select 1 from apps where disabled_at is not null',
          values: [],
        }),
      ).to.have.length(1);
      const { body } = await host.call('patch', '/apps/other').send({ disabled: false }).expect(200);
      expect(body.disabled).to.equal(false);
    });

    it('changes a user claim by claim', async () => {
      const id = await addUser('profile@example.com');
      await host
        .call('patch', `/apps/shop/users/${id}`)
        .send({
          profile: { name: 'Ada', nickname: 'a' },
          metadata: { plan: 'pro' },
          phone: '+41 44 123 45 67',
          locale: 'de-CH',
        })
        .expect(200);
      const { body } = await host
        .call('patch', `/apps/shop/users/${id}`)
        .send({ profile: { nickname: null }, email_verified: true })
        .expect(200);
      expect(body).to.deep.include({
        profile: { name: 'Ada' },
        metadata: { plan: 'pro' },
        phone: '+41441234567',
        phone_verified: false,
        email_verified: true,
        locale: 'de-CH',
      });
    });

    it('drops the verification with the address it was for', async () => {
      const { body: made } = await host
        .call('post', '/apps/shop/users')
        .send({ email: 'before@example.com', email_verified: true })
        .expect(201);
      const { body } = await host
        .call('patch', `/apps/shop/users/${made.user_id}`)
        .send({ email: 'After@Example.com' })
        .expect(200);
      expect(body).to.include({ email: 'after@example.com', email_verified: false });
    });

    it('finds a user by an address in whatever spelling, and by how it begins', async () => {
      const id = await addUser('find.me@example.com');
      for (const query of ['email=Find.Me@example.com', 'email=find.me%EF%BC%A0example.com', 'q=FIND.m']) {
        const { body } = await host.call('get', `/apps/shop/users?${query}`).expect(200);
        expect(
          body.items.map((user: { user_id: string }) => user.user_id),
          query,
        ).to.deep.equal([id]);
      }
      for (const query of ['email=find.me@example', 'email=nobody@example.com', 'q=%25', 'q=_ind']) {
        expect((await host.call('get', `/apps/shop/users?${query}`).expect(200)).body).to.deep.equal({
          items: [],
          next: null,
        });
      }
    });

    it('lists what happened, who did it and from where', async () => {
      const { body } = await host.call('get', '/apps/shop/audit-events').expect(200);
      const created = body.items.find((event: { type: string }) => event.type === 'app.created');
      expect(created).to.deep.include({
        actor: { type: 'break_glass', id: null },
        address: '127.0.0.1',
        result: 'success',
      });
      const trail = await host.call('get', '/apps/console/audit-events').expect(200);
      expect(trail.body.items.map((event: { type: string }) => event.type)).to.include('break_glass.used');
    });

    it('rotates a secret and lets the old one go on only as long as it was told', async () => {
      const { body: client } = await host
        .call('post', '/apps/shop/clients')
        .send({ name: 'Rotating', type: 'web' })
        .expect(201);
      const path = `/apps/shop/clients/${client.client_id}/secrets`;
      const { body: rotated } = await host
        .call('post', `${path}/rotate`)
        .send({ old_expire_in: 0 })
        .expect(201);
      const { body } = await host.call('get', path).expect(200);
      expect(body.items.map((secret: { secret_id: string }) => secret.secret_id)).to.deep.equal([
        rotated.secret_id,
      ]);
      expect(JSON.stringify(body)).to.not.match(/digest|client_secret/);
    });

    it('answers HEAD like GET, without a body', async () => {
      const { status, text } = await host.anonymous
        .head('/api/v1/apps/shop')
        .set('Authorization', `Bearer ${ADMIN_KEY}`);
      expect([status, text ?? '']).to.deep.equal([200, '']);
    });
  });

  describe('201', () => {
    it('creates an app and shows the secret of a confidential one once', async () => {
      const web = await host.call('post', '/apps').send(newApp('fresh-web')).expect(201);
      expect(web.body.client_secret).to.match(/^[\w-]{43}$/);
      const spa = await host
        .call('post', '/apps')
        .send(
          newApp('fresh-spa', {
            type: 'spa',
            redirect_uris: ['https://spa.example/'],
            allowed_origins: ['https://spa.example'],
          }),
        )
        .expect(201);
      expect(spa.body).to.not.have.property('client_secret');
      expect(web.headers['cache-control']).to.equal('no-store');
    });

    it('creates clients of every type; the ids are ours', async () => {
      for (const [type, more, secret] of [
        ['web', {}, true],
        ['spa', {}, false],
        ['native', { redirect_uris: ['com.example.app:/cb'] }, false],
        ['service', { scopes: ['orders:read'] }, true],
      ] as const) {
        const { body } = await host
          .call('post', '/apps/shop/clients')
          .send({ name: type, type, ...more })
          .expect(201);
        expect(body.client_id).to.match(/^cli_[0-9a-f]{32}$/);
        expect('client_secret' in body, type).to.equal(secret);
        expect(
          (await host.call('get', `/apps/shop/clients/${body.client_id}`).expect(200)).body,
        ).to.deep.include({ type, confidential: secret });
      }
    });

    it('creates a user whose id is the sub, with a hashed password', async () => {
      const { body } = await host
        .call('post', '/apps/shop/users')
        .send({ email: ' Ada@Example.com', password: 'long enough', email_verified: true })
        .expect(201);
      expect(body).to.include({ email: 'ada@example.com', email_verified: true, disabled: false });
      const [row] = await host.deps.db.query('shop', {
        name: '',
        text: 'select hash from passwords where user_id = $1',
        values: [body.user_id],
      });
      expect(row!['hash']).to.equal('$test$11');
      expect(JSON.stringify(body)).to.not.include('password');
    });

    it('mails an invitation where it is asked for, and only there', async () => {
      await host
        .call('post', '/apps/shop/users')
        .send({ email: 'invited@example.com', send_invitation: true })
        .expect(201);
      await host.call('post', '/apps/shop/users').send({ email: 'not-invited@example.com' }).expect(201);
      expect(host.invitations).to.deep.equal([{ appId: 'shop', email: 'invited@example.com' }]);
    });

    it('rotates keys: the next one is published before it signs, and a compromised one is out at once', async () => {
      const statuses = async (path: string) =>
        (await host.call('get', path).expect(200)).body.items.map((key: { status: string }) => key.status);
      for (const path of ['/apps/shop/keys', '/keys']) {
        const { body: next } = await host.call('post', `${path}/rotate`).send({}).expect(201);
        expect(next.status).to.equal('next');
        expect(Date.parse(next.active_at) - Date.parse(next.created_at)).to.be.greaterThan(300_000);
        const { body: again } = await host.call('post', `${path}/rotate`).send({}).expect(201);
        expect(again.kid, 'asked twice').to.equal(next.kid);
        expect(await statuses(path)).to.deep.equal(['next', 'signing']);
        const { body: before } = await host.call('get', path).expect(200);
        const { body: after } = await host
          .call('post', `${path}/rotate`)
          .send({ compromised: before.items[1].kid })
          .expect(201);
        expect([after.kid, after.status]).to.deep.equal([next.kid, 'signing']);
        expect(await statuses(path)).to.deep.equal(['signing', 'compromised']);
        const unknown = await host.call('post', `${path}/rotate`).send({ compromised: 'key_x' }).expect(404);
        expect(unknown.body.code).to.equal('keys.not_found');
        const { body } = await host.call('get', path).expect(200);
        expect(JSON.stringify(body)).to.not.match(/"(d|p|q|dp|dq|qi|private_jwk)":/);
      }
    });

    it('answers the same again for the same Idempotency-Key, the secret included, and does it once', async () => {
      const send = () =>
        host
          .call('post', '/apps/shop/clients')
          .set('Idempotency-Key', 'once-1')
          .send({ name: 'Once', type: 'service' });
      const first = await send().expect(201);
      const second = await send().expect(201);
      expect(second.body).to.deep.equal(first.body);
      expect(second.headers['idempotency-replayed']).to.equal('true');
      const rows = await host.deps.db.query('console', {
        name: '',
        text: 'select response from idempotency_keys',
        values: [],
      });
      expect(JSON.stringify(rows)).to.not.include(first.body.client_secret);
    });
  });

  describe('204', () => {
    it('disabling a user is one PATCH; deleting one erases the person and frees the address', async () => {
      const id = await addUser('leaving@example.com');
      expect(
        (await host.call('patch', `/apps/shop/users/${id}`).send({ disabled: true }).expect(200)).body
          .disabled,
      ).to.equal(true);
      await host.call('delete', `/apps/shop/users/${id}`).expect(204);
      await host.call('get', `/apps/shop/users/${id}`).expect(404);
      expect(await addUser('leaving@example.com')).to.not.equal(id);
    });

    it('revokes one secret and leaves the others', async () => {
      const { body: client } = await host
        .call('post', '/apps/shop/clients')
        .send({ name: 'Two', type: 'service' })
        .expect(201);
      const path = `/apps/shop/clients/${client.client_id}/secrets`;
      const { body: second } = await host.call('post', path).send({ expires_in: 3600 }).expect(201);
      await host.call('delete', `${path}/${second.secret_id}`).expect(204);
      expect((await host.call('get', path).expect(200)).body.items).to.have.length(1);
      await host.call('delete', `${path}/${second.secret_id}`).expect(404);
    });

    it('deletes an app that is named twice, at once and for ever', async () => {
      await host.call('post', '/apps').send(newApp('short-lived')).expect(201);
      await host.call('delete', '/apps/short-lived?confirm=short-lived').expect(204);
      await host.call('get', '/apps/short-lived').expect(404);
      expect(host.jobs).to.deep.include({ appId: 'short-lived', kind: 'erase-app', payload: {} });
    });

    it('signs a user out everywhere', async () => {
      const id = await addUser('everywhere@example.com');
      await host.call('delete', `/apps/shop/users/${id}/sessions`).expect(204);
    });
  });
});
