import { expect } from 'chai';
import type * as oidc from 'openid-client';
import { refreshTokenGrant } from 'openid-client';
import { Agent, formsOf, type Page } from '../support/agent.ts';
import { drivers, linkIn, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { agentAt, discoverAt, fetchAt, giveDomain, NameServers } from '../support/domain.ts';
import {
  authorizationRequest,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  REDIRECT,
  SIGNED_OUT,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';

const SHOP = 'https://id.shop.example';
const BANK = 'https://login.bank.example';
const EMAIL = 'ada@example.test';

for (const driver of drivers) {
  describe(`custom domains on ${driver}`, () => {
    const names = new NameServers();
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let bank: TestClient;
    let shopUser: string;

    before(async () => {
      latchkey = await startTestLatchkey({ driver, resolveTxt: names.resolveTxt });
      shop = await makeApp(latchkey, 'shop');
      bank = await makeApp(latchkey, 'bank');
      shopUser = await makeUser(latchkey, 'shop', EMAIL);
      await makeUser(latchkey, 'bank', EMAIL);
      await giveDomain(latchkey, names, { appId: 'shop', domain: 'id.shop.example' });
      await giveDomain(latchkey, names, { appId: 'bank', domain: 'login.bank.example' });
    });
    after(() => latchkey?.stop());

    const at = (origin: string, path: string, init?: RequestInit) => fetchAt(latchkey)(origin + path, init);

    const askForLink = (agent: Agent, page: Page, email: string): Promise<Page> =>
      agent.submit(page, { email }, { action: `${page.url}/magic-link` });

    async function signInAt(origin: string, client: TestClient, agent = agentAt(latchkey, origin)) {
      const configuration = await discoverAt(latchkey, client, origin);
      const request = await authorizationRequest(configuration);
      const { url } = await signInByPassword(agent, request, EMAIL);
      return { agent, configuration, request, callback: url };
    }

    it('are the issuer: metadata, pages and tokens have no other address', async () => {
      const metadata = (await (await at(SHOP, '/.well-known/openid-configuration')).json()) as Record<
        string,
        unknown
      >;
      expect(metadata['issuer']).to.equal(SHOP);
      const addresses = Object.entries(metadata).filter(([name]) => /_endpoint$|_uri$/.test(name));
      expect(addresses).to.have.length.greaterThan(6);
      for (const [name, url] of addresses) expect(url, name).to.match(/^https:\/\/id\.shop\.example\//);
      expect((await at(SHOP, '/.well-known/oauth-authorization-server')).status).to.equal(200);
      const userinfo = (await (
        await at(SHOP, '/.well-known/oauth-protected-resource/userinfo')
      ).json()) as object;
      expect(userinfo).to.include({ resource: `${SHOP}/userinfo` });
      expect((await latchkey.admin('GET', '/apps/shop')).body.issuer).to.equal(SHOP);

      const { configuration, request, callback } = await signInAt(SHOP, shop);
      expect(new URL(callback).searchParams.get('iss')).to.equal(SHOP);
      const tokens = await redeem(configuration, request, callback);
      expect(tokens.claims()).to.include({ iss: SHOP, sub: shopUser, aud: 'shop', app_id: 'shop' });
      const { claims, status } = await userinfoOf(configuration, tokens.access_token);
      expect([status, claims['sub']]).to.deep.equal([200, shopUser]);
      const fresh = await refreshTokenGrant(configuration, tokens.refresh_token!);
      expect(fresh.claims()).to.include({ iss: SHOP, sub: shopUser });
    });

    it('have pages that lead nowhere else, and end at the app', async () => {
      const configuration = await discoverAt(latchkey, shop, SHOP);
      const agent = agentAt(latchkey, SHOP);
      const page = await agent.open((await authorizationRequest(configuration)).url.href);
      expect(page.url).to.match(/^https:\/\/id\.shop\.example\/auth\/shop\/interaction\/[\w-]+$/);
      for (const form of formsOf(page)) expect(new URL(form.action).origin).to.equal(SHOP);
      expect(page.html).to.not.include(new URL(latchkey.baseUrl).host);
      const assets = [...page.html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
      expect(assets).to.have.length.greaterThan(2);
      for (const path of assets) expect((await at(SHOP, path)).status, path).to.equal(200);
    });

    it('#34 have cookies of their own: __Host-, Secure, HttpOnly, SameSite=Lax', async () => {
      const seen: string[] = [];
      const watching = (async (input: URL, init: RequestInit) => {
        const response = await fetchAt(latchkey)(input, init);
        seen.push(...response.headers.getSetCookie());
        return response;
      }) as typeof fetch;
      await signInAt(SHOP, shop, new Agent(SHOP, {}, watching));
      const set = seen.filter((line) => !/expires=Thu, 01 Jan 1970/i.test(line));
      expect(set.map((line) => line.split('=')[0])).to.include.members([
        '__Host-lk_ses.shop',
        '__Host-lk_ses.shop.sig',
        '__Host-lk_csrf',
        '__Host-lk_dev.shop',
        '__Host-lk_method.shop',
      ]);
      for (const line of set) {
        expect(line)
          .to.match(/; *httponly/i)
          .and.match(/; *samesite=lax/i)
          .and.match(/; *secure/i);
        expect(line).to.not.match(/; *domain=/i);
        if (line.startsWith('__Host-')) expect(line).to.match(/; *path=\/(;|$)/i);
      }
    });

    it('#43 have the strict policy, and #38 take forms from their own origin only', async () => {
      const configuration = await discoverAt(latchkey, shop, SHOP);
      const agent = agentAt(latchkey, SHOP);
      const page = await agent.open((await authorizationRequest(configuration)).url.href);
      const policy = page.headers.get('content-security-policy')!;
      expect(policy)
        .to.match(/default-src 'none'/)
        .and.not.match(/unsafe|shop\.example|localhost:\d{4,}/);
      expect(policy).to.include(`form-action 'self' ${new URL(REDIRECT).origin};`);
      expect(page.headers.get('strict-transport-security')).to.equal('max-age=31536000');
      const form = formsOf(page).find((one) => one.action.endsWith('/password'))!;
      const send = (headers: Record<string, string>) =>
        agent.send(form.action, {
          method: 'POST',
          headers,
          body: new URLSearchParams({ ...form.fields, email: EMAIL, password: PASSWORD }),
        });
      for (const origin of [latchkey.baseUrl, BANK, 'http://id.shop.example', 'https://www.shop.example'])
        expect((await send({ origin })).status, origin).to.equal(403);
      expect((await send({ 'sec-fetch-site': 'cross-site' })).status).to.equal(403);
      expect((await send({ origin: SHOP, 'sec-fetch-site': 'same-origin' })).status).to.equal(303);
    });

    it('sign in by a mailed link that leads to the domain', async () => {
      const email = 'linked@example.test';
      await makeUser(latchkey, 'shop', email);
      const configuration = await discoverAt(latchkey, shop, SHOP);
      const agent = agentAt(latchkey, SHOP);
      const request = await authorizationRequest(configuration);
      await askForLink(agent, await agent.open(request.url.href), email);
      const [mail] = await latchkey.mailsTo(email);
      expect(linkIn(mail!)).to.match(/^https:\/\/id\.shop\.example\/auth\/shop\/interaction\//);
      expect(mail!.text + mail!.html).to.not.include(new URL(latchkey.baseUrl).host);
      const done = await agent.submit(await agent.open(linkIn(mail!)), {});
      const tokens = await redeem(configuration, request, done.url);
      expect(tokens.claims()).to.include({ iss: SHOP });
    });

    it('are in the links of sign-up, recovery and invitation', async () => {
      const configuration = await discoverAt(latchkey, shop, SHOP);
      const agent = agentAt(latchkey, SHOP);
      const page = await agent.open((await authorizationRequest(configuration)).url.href);
      const signUp = await agent.open(`${page.url}/sign-up`);
      await agent.submit(signUp, { email: 'new@example.test', password: 'nine green kettles hum' });
      expect(linkIn((await latchkey.mailsTo('new@example.test'))[0]!)).to.match(
        /^https:\/\/id\.shop\.example\//,
      );
      await agent.submit(await agent.open(`${page.url}/forgot`), { email: EMAIL });
      expect(linkIn((await latchkey.mailsTo(EMAIL))[0]!)).to.match(/^https:\/\/id\.shop\.example\//);
      await latchkey.admin('POST', '/apps/shop/users', {
        email: 'guest@example.test',
        send_invitation: true,
      });
      const invitation = linkIn((await latchkey.mailsTo('guest@example.test'))[0]!);
      expect(invitation).to.match(/^https:\/\/id\.shop\.example\/auth\/shop\/invitation\//);
      expect((await agent.open(invitation)).status).to.equal(200);
    });

    it('#32 are not chosen by forwarded headers, in any page or mail', async () => {
      const forged = {
        'x-forwarded-host': 'evil.test',
        'x-forwarded-proto': 'http',
        'x-forwarded-server': 'evil.test',
        'x-original-host': 'evil.test',
        forwarded: 'host=evil.test;proto=http',
      };
      const agent = agentAt(latchkey, SHOP, forged);
      const email = 'forged@example.test';
      await makeUser(latchkey, 'shop', email);
      const request = await authorizationRequest(await discoverAt(latchkey, shop, SHOP));
      const page = await agent.open(request.url.href);
      const sent = await askForLink(agent, page, email);
      for (const shown of [page, sent]) {
        expect(shown.url).to.match(/^https:\/\/id\.shop\.example\//);
        expect(shown.html + JSON.stringify([...shown.headers])).to.not.include('evil');
      }
      const [mail] = await latchkey.mailsTo(email);
      expect(mail!.text + mail!.html)
        .to.include(`${SHOP}/auth/shop/`)
        .and.not.include('evil');
      for (const path of ['/.well-known/openid-configuration', '/logout', '/nothing', '/token']) {
        const answer = await fetchAt(latchkey, forged)(SHOP + path);
        const text = (await answer.text()) + JSON.stringify([...answer.headers]);
        expect(text, path).to.not.include('evil').and.not.include('http://id.shop.example');
      }
      // The other way round: naming a domain in a forwarded header does not lead there.
      const elsewhere = await fetch(`${latchkey.baseUrl}/.well-known/openid-configuration`, {
        headers: { 'x-forwarded-host': 'id.shop.example', forwarded: 'host=id.shop.example' },
      });
      expect(((await elsewhere.json()) as { issuer: string }).issuer).to.equal(latchkey.baseUrl);
    });

    it('hold nothing but the one app: no API, no console, no tools, no other app', async () => {
      for (const path of [
        '/',
        '/api/v1/apps',
        '/api/v1/openapi.json',
        '/api/docs',
        '/console/',
        '/dev/inbox',
        '/dev/inbox.json',
        '/dev/playground',
        '/metrics',
        '/scim/v2/x',
        '/auth/bank/.well-known/openid-configuration',
        '/auth/shop/.well-known/openid-configuration',
        '/.well-known/openid-configuration/auth/shop',
        '/auth/shop/token',
        '/auth/bank/interaction/abc',
        '/auth/shopping/interaction/abc',
      ])
        expect((await at(SHOP, path)).status, path).to.equal(404);
      expect((await at(SHOP, '/healthz')).status).to.equal(200);
      const key = { authorization: 'Bearer test-admin-key-0123456789-0123456789-abcdef' };
      expect((await at(SHOP, '/api/v1/apps', { headers: key })).status).to.equal(404);
    });

    it('that nobody has are answered with a plain 404', async () => {
      for (const host of [
        'evil.test',
        'shop.example',
        'x.id.shop.example',
        'id.shop.example.evil.test',
        '10.0.0.9',
      ]) {
        for (const path of ['/', '/authorize?client_id=shop', '/auth/shop/token', '/api/v1/apps']) {
          const answer = await at(`https://${host}`, path);
          expect([answer.status, await answer.text()], host + path).to.deep.equal([404, 'Not found\n']);
        }
      }
      const padded = await fetchAt(latchkey, { host: 'ID.Shop.Example:443' })(
        `${SHOP}/.well-known/jwks.json`,
      );
      expect(padded.status, 'case and port say nothing').to.equal(200);
    });

    it('do not cross: one domain takes nothing of another app, nor another app’s client', async () => {
      const atShop = await signInAt(SHOP, shop);
      const tokens = await redeem(atShop.configuration, atShop.request, atShop.callback);
      const atBank = await discoverAt(latchkey, bank, BANK);
      expect((await userinfoOf(atBank, tokens.access_token)).status).to.equal(401);
      for (const [origin, client] of [
        [BANK, shop],
        [SHOP, bank],
      ] as const) {
        const answer = await tokenAt(origin, client, {
          grant_type: 'refresh_token',
          refresh_token: tokens.refresh_token!,
        });
        expect([answer.status, answer.body.error], origin).to.deep.equal([401, 'invalid_client']);
      }
      const other = await tokenAt(BANK, bank, {
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token!,
      });
      expect([other.status, other.body.error]).to.deep.equal([400, 'invalid_grant']);
      // A browser that brings the cookies of one domain to the other one.
      const carrying = agentAt(latchkey, BANK);
      for (const name of atShop.agent.cookieNames())
        carrying.setCookie(name.replace('.shop', '.bank'), atShop.agent.cookie(name)!);
      const asked = await carrying.open((await authorizationRequest(atBank, { prompt: 'none' })).url.href);
      expect(new URL(asked.url).searchParams.get('error')).to.equal('login_required');
      const mixed = await authorizationRequest(await discoverAt(latchkey, shop, SHOP));
      const page = await carrying.open(mixed.url.href.replace(SHOP, BANK));
      expect(page.status).to.equal(400);
      expect((await refreshTokenGrant(atShop.configuration, tokens.refresh_token!)).claims()!.sub).to.equal(
        shopUser,
      );
    });

    it('sign out there: with the page of the domain, back to the app', async () => {
      const { agent, configuration, request, callback } = await signInAt(SHOP, shop);
      const tokens = await redeem(configuration, request, callback);
      const end = new URL(configuration.serverMetadata().end_session_endpoint!);
      end.searchParams.set('id_token_hint', tokens.id_token!);
      end.searchParams.set('post_logout_redirect_uri', SIGNED_OUT);
      const page = await agent.open(end.href);
      const done = await agent.submit(page, { logout: 'yes' }, { ending: '/logout/confirm' });
      expect(done.url).to.match(/^http:\/\/localhost:1\/signed-out/);
      const silent = await agent.open(
        (await authorizationRequest(configuration, { prompt: 'none' })).url.href,
      );
      expect(new URL(silent.url).searchParams.get('error')).to.equal('login_required');
      expect((await agent.open(`${SHOP}/logout`)).status, 'nobody is signed in').to.equal(200);
    });

    async function tokenAt(origin: string, client: TestClient, form: Record<string, string>) {
      const response = await fetchAt(latchkey)(`${origin}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${client.clientId}:${client.secret}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams(form).toString(),
      });
      return { status: response.status, body: (await response.json()) as Record<string, string> };
    }

    async function userinfoOf(configuration: oidc.Configuration, token: string) {
      const response = await fetchAt(latchkey)(configuration.serverMetadata().userinfo_endpoint!, {
        headers: { authorization: `Bearer ${token}` },
      });
      const text = await response.text();
      return {
        status: response.status,
        claims: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown>,
      };
    }
  });
}
