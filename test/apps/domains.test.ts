import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { fetchAt, giveDomain, NameServers } from '../support/domain.ts';
import { makeApp } from '../support/sign-in.ts';

describe('the domain of an app', () => {
  const names = new NameServers();
  let latchkey: TestLatchkey;

  before(async () => {
    latchkey = await startTestLatchkey({ resolveTxt: names.resolveTxt });
    await makeApp(latchkey, 'shop');
    await makeApp(latchkey, 'bank');
  });
  after(() => latchkey?.stop());
  afterEach(async () => {
    names.fault = undefined;
    for (const appId of ['shop', 'bank']) {
      const { domain } = (await latchkey.admin('GET', `/apps/${appId}/domain`)).body;
      await latchkey.admin('DELETE', `/apps/${appId}/domain${domain ? `?confirm=${domain}` : ''}`);
    }
  });

  const claim = (appId: string, domain: string) => latchkey.admin('PUT', `/apps/${appId}/domain`, { domain });
  const verify = (appId: string) => latchkey.admin('POST', `/apps/${appId}/domain/verify`);

  it('is kept in one form', async () => {
    for (const [given, kept] of [
      ['ID.Shop.Example', 'id.shop.example'],
      ['id.shop.example.', 'id.shop.example'],
      ['Bücher.example', 'xn--bcher-kva.example'],
      ['ｉｄ.shop.example', 'id.shop.example'],
    ]) {
      const { status, body } = await claim('shop', given!);
      expect([status, body.pending?.domain], given).to.deep.equal([200, kept]);
      expect(body.pending.verification.name).to.equal(`_latchkey.${kept}`);
    }
  });

  it('is no address, port, path, wildcard, suffix, and not the deployment’s own', async () => {
    for (const bad of [
      'localhost',
      '127.0.0.1',
      '0x7f.1',
      '2130706433',
      '[::1]',
      'id.shop.example:8443',
      'https://id.shop.example',
      'id.shop.example/x',
      'user@id.shop.example',
      '*.shop.example',
      'id_.shop.example',
      'com',
      'co.uk',
      '-id.shop.example',
      'id..shop.example',
      `${'a'.repeat(64)}.example`,
      `${'a.'.repeat(121)}example`,
      'id.shop.example\r\nx',
    ]) {
      const { status, body } = await claim('shop', bad);
      expect([status, body.field], bad).to.deep.equal([400, 'domain']);
    }
  });

  it('is served only once a TXT record proves it', async () => {
    const { body } = await claim('shop', 'id.proof.example');
    expect(body).to.deep.include({ domain: null, issuer: `${latchkey.baseUrl}/auth/shop` });
    const there = () => fetchAt(latchkey)('https://id.proof.example/.well-known/jwks.json');
    expect((await verify('shop')).body.code).to.equal('domains.not_proved');
    const { name, value } = body.pending.verification;
    names.add(name, `${value}x`);
    names.add(name, 'v=spf1 -all');
    expect((await verify('shop')).body.code).to.equal('domains.not_proved');
    names.fault = Object.assign(new Error('timeout'), { code: 'ETIMEOUT' });
    expect((await verify('shop')).status).to.be.within(500, 503);
    names.fault = undefined;
    expect((await there()).status).to.equal(404);
    expect((await claim('shop', 'id.proof.example')).body.pending.verification.value).to.equal(value);
    names.add(name, value);
    const proved = await verify('shop');
    expect(proved.body).to.include({ domain: 'id.proof.example', pending: null });
    expect((await there()).status).to.equal(200);
    expect((await verify('shop')).status, 'asking again changes nothing').to.equal(200);
  });

  it('may be claimed by several apps and proved by one: a claim blocks nobody', async () => {
    await claim('bank', 'id.both.example');
    await giveDomain(latchkey, names, { appId: 'shop', domain: 'id.both.example' });
    const { name, value } = (await latchkey.admin('GET', '/apps/bank/domain')).body.pending.verification;
    names.add(name, value);
    expect((await verify('bank')).body.code).to.equal('domains.taken');
    expect((await claim('bank', 'id.both.example')).body.code).to.equal('domains.taken');
    await latchkey.admin('DELETE', '/apps/shop/domain?confirm=id.both.example');
    expect((await verify('bank')).status, 'it is free again').to.equal(200);
  });

  it('proved by sixteen apps at once is one app’s, and that one is served there', async () => {
    const apps = Array.from({ length: 16 }, (_, i) => `race-${String.fromCharCode(97 + i)}`);
    for (const appId of apps) {
      await makeApp(latchkey, appId);
      const { name, value } = (await claim(appId, 'id.race.example')).body.pending.verification;
      names.add(name, value);
    }
    const answers = await Promise.all(apps.map(verify));
    const winners = apps.filter((_, i) => answers[i]!.status === 200);
    expect(winners).to.have.length(1);
    expect(answers.filter(({ body }) => body.code === 'domains.taken')).to.have.length(15);
    const there = await fetchAt(latchkey)(`https://id.race.example/auth/${winners[0]}/invitation/x`);
    expect(there.status, 'a page of the winner, which knows no such invitation').to.equal(410);
    const rows = await latchkey.sql(`select owner_app from domain_routes where domain = 'id.race.example'`);
    expect(rows).to.deep.equal([{ owner_app: winners[0] }]);
  });

  it('goes with the app, and leads nowhere while the app is disabled', async () => {
    await makeApp(latchkey, 'gone');
    await giveDomain(latchkey, names, { appId: 'gone', domain: 'id.gone.example' });
    const there = async () => (await fetchAt(latchkey)('https://id.gone.example/logout')).text();
    expect(await there()).to.not.equal('Not found\n');
    await latchkey.admin('PATCH', '/apps/gone', { disabled: true });
    expect(await there()).to.equal('Not found\n');
    await latchkey.admin('DELETE', '/apps/gone?confirm=gone');
    for (const deadline = Date.now() + 8000; Date.now() < deadline; ) {
      if ((await latchkey.sql(`select 1 from domain_routes where owner_app = 'gone'`)).length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await latchkey.sql(`select 1 from domains where app_id = 'gone'`)).to.deep.equal([]);
    await giveDomain(latchkey, names, { appId: 'shop', domain: 'id.gone.example' });
  });

  it('is none for built-in apps and for apps that are not there', async () => {
    expect((await claim('console', 'id.console.example')).body.code).to.equal('apps.built_in');
    expect((await claim('nowhere', 'id.nowhere.example')).status).to.equal(404);
    expect((await verify('shop')).body.code).to.equal('domains.not_claimed');
    expect((await latchkey.admin('PATCH', '/apps/shop/domain', { old_issuers: 'ended' })).body.code).to.equal(
      'domains.not_active',
    );
  });

  it('below localhost needs no proof in development, and has scheme and port of BASE_URL', async () => {
    await claim('shop', 'shop.localhost');
    const { port } = new URL(latchkey.baseUrl);
    expect((await verify('shop')).body.issuer).to.equal(`http://shop.localhost:${port}`);
    const metadata = await (
      await fetchAt(latchkey)(`http://shop.localhost:${port}/.well-known/openid-configuration`)
    ).json();
    expect(metadata).to.include({ issuer: `http://shop.localhost:${port}` });
    const other = await fetchAt(latchkey)(`http://other.localhost:${port}/.well-known/openid-configuration`);
    expect(await other.json()).to.include({ issuer: latchkey.baseUrl });
  });
});
