import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { agentAt, fetchAt, giveDomain, NameServers } from '../support/domain.ts';
import { addPasskey, answer, Authenticator, offered } from '../support/passkeys.ts';
import {
  authorizeUrl,
  begin,
  isSignedIn,
  makeApp,
  makeUser,
  PASSWORD,
  signInWithPassword,
} from './people.ts';

const DOMAIN = 'https://id.shop.example';

describe('the host that passkeys are tied to', () => {
  let lk: TestLatchkey;
  const names = new NameServers();
  let shop: string;
  let email: string;
  before(async () => {
    lk = await startTestLatchkey({ resolveTxt: names.resolveTxt });
    shop = await makeApp(lk);
    ({ email } = await makeUser(lk, shop));
  });
  after(() => lk.stop());

  const change = (settings: object) => lk.admin('PATCH', `/apps/${shop}`, { settings });
  const beginAtDomain = (agent: Agent): Promise<Page> =>
    agent.open(authorizeUrl(DOMAIN, shop, { prompt: 'login' }).replace(`/auth/${shop}/`, '/'));
  const rpIdAt = (page: Page): unknown => offered(page).rpId;
  const document = (origin: string) => fetchAt(lk)(`${origin}/.well-known/webauthn`);

  it('is refused as a setting where it is no host, and a related origin where it is none', async () => {
    for (const passkey_rp_id of ['https://shop.example', 'Shop.example', 'shop.example/', '*.example', ''])
      expect((await change({ passkey_rp_id })).status, passkey_rp_id).to.equal(400);
    for (const origin of ['https://a.example/', 'https://a.example/x', 'a.example', 'ftp://a.example'])
      expect((await change({ passkey_related_origins: [origin] })).status, origin).to.equal(400);
  });

  it('is refused as a setting where no page of the app could ever use it, until a domain below it is claimed', async () => {
    expect((await change({ passkey_rp_id: 'later.example' })).body.code).to.equal('apps.settings_invalid');
    const made = {
      app_id: `shop-${Date.now().toString(36)}x`,
      name: 'Shop',
      settings: { passkey_rp_id: 'later.example' },
    };
    expect((await lk.admin('POST', '/apps', made)).body.field).to.equal('settings.passkey_rp_id');
    const early = await makeApp(lk);
    await lk.admin('PUT', `/apps/${early}/domain`, { domain: 'id.later.example' });
    const settings = { passkey_rp_id: 'later.example' };
    expect((await lk.admin('PATCH', `/apps/${early}`, { settings })).status).to.equal(200);
    expect(
      (await lk.admin('PATCH', `/apps/${early}`, { settings: { passkey_rp_id: 'localhost' } })).status,
    ).to.equal(200);
  });

  it('#61 is that of the pages: an app that moves to its own domain shares no passkey with the others', async () => {
    const atBase = lk.agent();
    await signInWithPassword(atBase, shop, email);
    const { authenticator: old } = await addPasskey(atBase, shop);
    const early = await begin(lk.agent(), shop);
    expect(rpIdAt(early)).to.equal('localhost');
    await giveDomain(lk, names, { appId: shop, domain: 'id.shop.example', oldIssuers: 'sign_in' });

    const agent = agentAt(lk, DOMAIN);
    const page = await beginAtDomain(agent);
    expect(rpIdAt(page)).to.equal('id.shop.example');
    // As a browser would never answer: the passkey of the old host, with the new origin and either host.
    for (const lies of [{ origin: DOMAIN, rpId: 'localhost' }, { rpId: 'id.shop.example' }, {}])
      expect((await answer(agent, page, old.get(offered(page), lies))).status).to.equal(400);
    const inside = await agent.submit(page, { email, password: PASSWORD }, { ending: '/password' });
    expect(isSignedIn(inside)).to.equal(true);
    const { authenticator, page: list } = await addPasskey(agent, shop, new Authenticator(DOMAIN));
    expect(list.html)
      .to.contain('it does not work here')
      .and.match(/Made at <strong><bdi>localhost</);
    const again = await beginAtDomain(agent);
    expect(isSignedIn(await answer(agent, again, authenticator.get(offered(again))))).to.equal(true);
    // At the place that the app is leaving, its passkeys still work.
    const here = lk.agent();
    const still = await begin(here, shop);
    expect(rpIdAt(still)).to.equal('localhost');
    expect(isSignedIn(await answer(here, still, old.get(offered(still))))).to.equal(true);
  });

  it('can be a domain above that of the pages, and nothing else', async () => {
    await change({ passkey_rp_id: 'shop.example' });
    const agent = agentAt(lk, DOMAIN);
    const page = await beginAtDomain(agent);
    expect(rpIdAt(page)).to.equal('shop.example');
    await agent.submit(page, { email, password: PASSWORD }, { ending: '/password' });
    const { authenticator } = await addPasskey(agent, shop, new Authenticator(DOMAIN));
    const again = await beginAtDomain(agent);
    expect(isSignedIn(await answer(agent, again, authenticator.get(offered(again))))).to.equal(true);
    for (const passkey_rp_id of [
      'evil.example',
      'op.example',
      'sub.id.shop.example',
      'example',
      'hop.example',
    ]) {
      const { status, body } = await change({ passkey_rp_id });
      expect([status, body.code, body.field]).to.deep.equal([
        400,
        'apps.settings_invalid',
        'settings.passkey_rp_id',
      ]);
      expect(body.detail).to.contain('id.shop.example, or a domain above it');
      expect(rpIdAt(await beginAtDomain(agent)), passkey_rp_id).to.equal('shop.example');
    }
    for (const passkey_rp_id of ['localhost', 'id.shop.example', null]) {
      expect((await change({ passkey_rp_id })).status).to.equal(200);
      expect(rpIdAt(await beginAtDomain(agent)), String(passkey_rp_id)).to.equal('id.shop.example');
    }
  });

  it('is published with its related origins at its own host alone, and used where they are', async () => {
    expect((await document(DOMAIN)).status).to.equal(404);
    const origins = [lk.baseUrl, 'https://shop.example'];
    await change({ passkey_related_origins: origins });
    const published = await document(DOMAIN);
    expect(published.status).to.equal(200);
    expect(published.headers.get('content-type')).to.match(/^application\/json/);
    expect(await published.json()).to.deep.equal({ origins });
    expect((await fetch(`${lk.baseUrl}/.well-known/webauthn`)).status).to.equal(404);
    const agent = lk.agent();
    const page = await begin(agent, shop);
    expect(rpIdAt(page)).to.equal('id.shop.example');
    // What was made at the domain works here now, in the name of this page's origin.
    const atDomain = agentAt(lk, DOMAIN);
    const inside = await beginAtDomain(atDomain);
    await atDomain.submit(inside, { email, password: PASSWORD }, { ending: '/password' });
    const { authenticator } = await addPasskey(atDomain, shop, new Authenticator(DOMAIN));
    expect((await answer(agent, page, authenticator.get(offered(page)))).status).to.equal(400);
    const asHere = authenticator.get(offered(page), { origin: lk.baseUrl });
    expect(isSignedIn(await answer(agent, page, asHere))).to.equal(true);
    // Another app at this host has nothing of it.
    expect(rpIdAt(await begin(lk.agent(), await makeApp(lk)))).to.equal('localhost');
  });
});
