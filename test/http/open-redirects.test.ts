import { expect } from 'chai';
import type { Agent } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, PASSWORD, REDIRECT, signedIn, SIGNED_OUT } from '../support/sign-in.ts';

const EMAIL = 'ada@example.com';
/** Names under which programs take the address to go to next. */
const NAMES =
  'next return_to returnTo redirect redirect_to redirect_url url continue target RelayState post_login back start_url iss target_link_uri initiate_login_uri issuer request_uri client_uri app org'.split(
    ' ',
  );

describe('no address leads elsewhere', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let agent: Agent;
  let hint: string;
  let evil: string[];

  before(async () => {
    latchkey = await startTestLatchkey();
    const shop = await makeApp(latchkey, 'shop');
    await makeUser(latchkey, 'shop', EMAIL);
    ({
      agent,
      tokens: { id_token: hint },
    } = (await signedIn(latchkey, shop, { email: EMAIL, kind: 'own' })) as any);
    await signedIn(latchkey, shop, { email: EMAIL, kind: 'shared', agent });
    const { host } = new URL(latchkey.baseUrl);
    evil = [
      '//evil.test',
      '/\\evil.test',
      '\\\\evil.test',
      'https:evil.test',
      'https://evil.test/',
      `http://${host}@evil.test/`,
      `http://${host}.evil.test/`,
      '/\r\nLocation: https://evil.test/',
      'javascript:alert("evil.test")',
      'data:text/html,evil.test',
      '\thttps://evil.test/',
      `${SIGNED_OUT}/../../evil.test`,
    ];
  });
  after(() => latchkey.stop());

  /** Where an answer leads: its Location, the addresses in its page, and those that its policy lets forms lead to. */
  async function check(response: Response, what: string): Promise<string | null> {
    const location = response.headers.get('location');
    if (location !== null)
      expect(new URL(location, latchkey.baseUrl).origin, `${what} → ${location}`).to.be.oneOf([
        latchkey.baseUrl,
        new URL(REDIRECT).origin,
      ]);
    const html = await response.text();
    expect(html, what).to.not.match(/\b(href|action|src|formaction|content)="[^"]*evil\.test/);
    expect(response.headers.get('content-security-policy') ?? '', what).to.not.include('evil.test');
    for (const name of ['refresh', 'link', 'content-location', 'location'])
      expect(response.headers.get(name) ?? '', `${what} ${name}`).to.not.match(/^[^?]*evil\.test/);
    return location;
  }

  it('#45 by no parameter of no route, signed in or not', async () => {
    const pages = [
      ...new Set(latchkey.latchkey.routes.filter(({ method }) => method === 'GET').map(({ path }) => path)),
    ];
    let redirects = 0;
    for (const [at, route] of pages.entries())
      for (const [i, who] of [agent, latchkey.agent()].entries()) {
        const value = evil[(at + i * 5) % evil.length]!;
        const query = new URLSearchParams(NAMES.map((name) => [name, value]));
        const path = route.replace(':app_id', 'shop').replaceAll(/:\w+/g, encodeURIComponent(value));
        const response = await who.send(`${path}?${query}&state=${encodeURIComponent(value)}`);
        if (await check(response, `${path} ${value}`)) redirects += 1;
      }
    expect(redirects, 'that anything redirects at all').to.be.greaterThan(3);
  });

  it('#45 by no path that looks like a host', async () => {
    for (const path of [
      '//evil.test/',
      '//evil.test/..',
      '/\\evil.test/',
      '/%5cevil.test/',
      '/%2f%2fevil.test/',
      '/auth/shop//evil.test/',
      '/auth/shop/account//evil.test',
      '/auth//evil.test/authorize',
      '/.//evil.test',
      '/%0d%0aLocation:%20https://evil.test/',
    ]) {
      // As it is: `fetch` would clean it.
      const response = await fetch(new URL(latchkey.baseUrl).origin + path, { redirect: 'manual' });
      await check(response, path);
    }
  });

  it('#45 after sign-out only to a registered address, whoever the hint names, at both issuers', async () => {
    for (const at of ['', '/auth/shop'])
      for (const value of evil)
        for (const named of [{ client_id: 'shop' }, { id_token_hint: hint }, {}]) {
          const query = new URLSearchParams({ ...named, post_logout_redirect_uri: value, state: value });
          const response = await latchkey.agent().send(`${at}/logout?${query}`);
          expect(response.status, `${at} ${value} ${Object.keys(named)}`).to.equal(
            Object.keys(named).length ? 400 : response.status,
          );
          const location = await check(response, `${at} ${value}`);
          if (location !== null) expect(new URL(location).origin).to.equal(latchkey.baseUrl);
        }
    const query = new URLSearchParams({
      client_id: 'shop',
      post_logout_redirect_uri: SIGNED_OUT,
      state: '//evil.test',
    });
    const fine = new URL(
      (await latchkey.agent().send(`/auth/shop/logout?${query}`)).headers.get('location')!,
    );
    expect([fine.origin + fine.pathname, fine.searchParams.get('state')]).to.deep.equal([
      SIGNED_OUT,
      '//evil.test',
    ]);
  });

  it('#45 by nothing that is put into the forms of a sign-in', async () => {
    // A password is hashed for each: a few spellings do.
    for (const value of evil.slice(0, 4)) {
      const fields = Object.fromEntries([...NAMES, 'redirect_uri', 'client_id'].map((name) => [name, value]));
      const browser = latchkey.agent();
      const begun = await browser.open(
        `/auth/shop/account?${new URLSearchParams({ next: value, return_to: value })}`,
      );
      const done = await browser.submit(
        begun,
        { ...fields, email: EMAIL, password: PASSWORD },
        { ending: '/password' },
      );
      expect(done.url, value).to.equal(`${latchkey.baseUrl}/auth/shop/account/profile`);
    }
  });
});
