import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { makeApp } from '../../support/sign-in.ts';

const URL = 'https://hooks.shop.example/tokens';

describe('the token hook of an app, through the Admin API', () => {
  let latchkey: TestLatchkey;
  before(async () => {
    latchkey = await startTestLatchkey({ env: { OUTBOUND_ALLOWED_HOSTS: 'hooks.internal:8443' } });
    await makeApp(latchkey, 'shop');
    await makeApp(latchkey, 'other');
  });
  after(() => latchkey.stop());

  const hook = (method: string, body?: object, more = '', app = 'shop') =>
    latchkey.admin(method, `/apps/${app}/token-hook${more}`, body);
  const codeOf = async (answer: ReturnType<typeof hook>) => {
    const { status, body } = await answer;
    return [status, body?.code];
  };

  it('is made once, changed, given a new secret and deleted; its secrets are shown once each', async () => {
    expect(await codeOf(hook('GET'))).to.deep.equal([404, 'token_hook.not_found']);
    const made = await hook('POST', { url: URL });
    expect(made.status).to.equal(201);
    const { secret, created_at, updated_at, ...rest } = made.body;
    expect(secret).to.match(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect([typeof created_at, typeof updated_at]).to.deep.equal(['string', 'string']);
    expect(rest).to.deep.equal({
      url: URL,
      timeout_ms: 1000,
      grant_types: null,
      old_secret_expires_at: null,
    });
    expect(await codeOf(hook('POST', { url: URL }))).to.deep.equal([409, 'token_hook.exists']);
    const changed = await hook('PATCH', { timeout_ms: 3000, grant_types: ['client_credentials'] });
    expect(changed.body).to.include({ url: URL, timeout_ms: 3000 }).and.not.to.have.property('secret');
    const rotated = await hook('POST', {}, '/rotate-secret');
    expect(rotated.body.secret)
      .to.match(/^whsec_/)
      .and.not.to.equal(secret);
    const untilEnd = Date.parse(rotated.body.old_secret_expires_at) - Date.now();
    expect(untilEnd / 3_600_000).to.be.closeTo(24, 1);
    expect((await hook('GET')).body).not.to.have.property('secret');
    expect((await hook('GET')).body.grant_types).to.deep.equal(['client_credentials']);
    expect((await hook('PATCH', { grant_types: null })).body.grant_types).to.equal(null);
    expect((await hook('GET', undefined, '', 'other')).status).to.equal(404);
    expect((await hook('DELETE')).status).to.equal(204);
    expect(await codeOf(hook('DELETE'))).to.deep.equal([404, 'token_hook.not_found']);
    expect(await codeOf(hook('PATCH', { timeout_ms: 200 }))).to.deep.equal([404, 'token_hook.not_found']);
    expect(await codeOf(hook('POST', {}, '/rotate-secret'))).to.deep.equal([404, 'token_hook.not_found']);
    const trail = (await latchkey.admin('GET', '/apps/shop/audit-events?limit=20')).body.items;
    expect(trail.map((event: any) => event.type).filter((type: string) => /hook/.test(type))).to.deep.equal([
      'token_hook.deleted',
      'token_hook.updated',
      'token_hook.secret_rotated',
      'token_hook.updated',
      'token_hook.created',
    ]);
    expect(JSON.stringify(trail)).not.to.include('whsec_');
  });

  it('#77 lives on the public internet or on a host that the operator has named', async () => {
    for (const url of [
      'http://hooks.shop.example/',
      'https://127.0.0.1/',
      'https://[::1]/',
      'https://localhost:8443/',
      'https://169.254.169.254/latest/meta-data/',
      'https://0x7f000001/',
      'https://user:pass@hooks.shop.example/',
      'https://hooks.shop.example:22/',
      'https://hooks.internal/',
      'ftp://hooks.shop.example/',
      'nonsense',
    ])
      expect(await codeOf(hook('POST', { url })), url).to.deep.equal([400, 'token_hook.url_invalid']);
    expect((await hook('POST', { url: 'http://hooks.internal:8443/' })).status).to.equal(201);
    expect(await codeOf(hook('PATCH', { url: 'https://10.0.0.1/' }))).to.deep.equal([
      400,
      'token_hook.url_invalid',
    ]);
    expect((await hook('DELETE')).status).to.equal(204);
  });

  it('refuses waiting too long, grants that there are none of, and unknown fields', async () => {
    for (const wrong of [
      { timeout_ms: 3001 },
      { timeout_ms: 0 },
      { grant_types: [] },
      { grant_types: ['password'] },
      { secret: 'whsec_mine' },
    ])
      expect((await hook('POST', { url: URL, ...wrong })).status, JSON.stringify(wrong)).to.equal(400);
    expect((await hook('POST', { url: URL }, '', 'nobody')).status).to.equal(404);
  });

  it('goes with its app', async () => {
    await makeApp(latchkey, 'doomed');
    expect((await hook('POST', { url: URL }, '', 'doomed')).status).to.equal(201);
    expect((await latchkey.admin('DELETE', '/apps/doomed?confirm=doomed')).status).to.equal(204);
    for (const deadline = Date.now() + 10_000; ; ) {
      if ((await latchkey.sql(`select 1 from token_hooks where app_id = 'doomed'`)).length === 0) break;
      if (Date.now() > deadline) throw new Error('the hook is still there');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});
