import { request as httpRequest } from 'node:http';
import { expect } from 'chai';
import type * as oidc from 'openid-client';
import { type Agent, formsOf, type Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  signedIn,
  type TestClient,
} from '../support/sign-in.ts';
import { basic, call, post, tokenUrl } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const HUGE = `a=${'x'.repeat(1024 * 1024)}`;
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const SPA_ORIGIN = 'https://spa.example.com';
const PROTOCOL_POSTS = [
  '/token',
  '/introspect',
  '/revoke',
  '/userinfo',
  '/authorize',
  '/logout',
  '/logout/confirm',
];
const STEPS = [
  'password',
  'cancel',
  'consent',
  'magic-link',
  'magic-link/code',
  'sign-up',
  'sign-up/code',
  'forgot',
];

describe('bad input', function () {
  this.timeout(180_000);
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let spa: TestClient;
  const configurations: Record<'own' | 'shared', oidc.Configuration> = {} as never;

  before(async () => {
    latchkey = await startTestLatchkey();
    shop = await makeApp(latchkey, 'shop');
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Spa',
      type: 'spa',
      redirect_uris: [REDIRECT],
      allowed_origins: [SPA_ORIGIN],
    });
    expect(made.status).to.equal(201);
    spa = { appId: 'shop', clientId: made.body.client_id, secret: undefined };
    await makeUser(latchkey, 'shop', EMAIL);
    await makeApp(latchkey, 'closed');
    expect((await latchkey.admin('PATCH', '/apps/closed', { disabled: true })).status).to.equal(200);
    configurations.own = await discover(latchkey, shop, 'own');
    configurations.shared = await discover(latchkey, shop, 'shared');
  });
  after(() => latchkey.stop());

  const protocolUrls = (): string[] =>
    (['own', 'shared'] as const).flatMap((kind) =>
      PROTOCOL_POSTS.map((path) => issuerOf(latchkey, 'shop', kind) + path),
    );
  /** A sign-in that waits for its person. */
  const begun = async (parameters: Record<string, string> = {}): Promise<{ agent: Agent; page: Page }> => {
    const agent = latchkey.agent();
    const { url } = await authorizationRequest(configurations.own, parameters);
    return { agent, page: await agent.open(url.href) };
  };
  /** What differs between two answers of the same kind and means nothing. */
  const plain = (text: string): string =>
    text.replaceAll(/nonce="[^"]+"/g, '').replaceAll(/req_[A-Za-z0-9-]+|[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID');

  describe('bodies', () => {
    it('over 1 MB are answered 413, at every endpoint that takes a form', async () => {
      const { agent, page } = await begun();
      for (const url of [...protocolUrls(), `${latchkey.baseUrl}/auth/shop/invitation/xxx`]) {
        const answer = await call(url, { method: 'POST', headers: { ...FORM, ...basic(shop) }, body: HUGE });
        expect(answer.status, url).to.equal(413);
      }
      for (const step of STEPS)
        expect(
          (await agent.open(`${page.url}/${step}`, { method: 'POST', headers: FORM, body: HUGE })).status,
          step,
        ).to.equal(413);
    });

    it('over 1 MB whose length was not said are answered 413 too', async () => {
      for (const path of ['/token', '/auth/shop/token']) {
        const body = new ReadableStream({
          start(controller) {
            for (let i = 0; i < 20; i += 1) controller.enqueue(new Uint8Array(64 * 1024).fill(97));
            controller.close();
          },
        });
        const answer = await call(latchkey.baseUrl + path, {
          method: 'POST',
          headers: { ...FORM, ...basic(shop) },
          body,
          duplex: 'half',
        } as RequestInit);
        expect(answer.status).to.equal(413);
      }
    });

    it('of another type are answered 415, at every endpoint that takes a form', async () => {
      const { agent, page } = await begun();
      const types = [
        'application/json',
        'multipart/form-data; boundary=x',
        'text/plain',
        'application/x-www-form-urlencoded; charset=utf-16',
      ];
      for (const type of types) {
        for (const url of protocolUrls()) {
          const answer = await call(url, {
            method: 'POST',
            headers: { 'content-type': type, ...basic(shop) },
            body: 'client_id=shop&a=b',
          });
          expect(answer.status, `${url} ${type}`).to.equal(415);
        }
        for (const step of STEPS)
          expect(
            (
              await agent.open(`${page.url}/${step}`, {
                method: 'POST',
                headers: { 'content-type': type },
                body: '{}',
              })
            ).status,
            `${step} ${type}`,
          ).to.equal(415);
      }
    });

    it('that are not UTF-8 or are packed are refused', async () => {
      for (const url of [`${latchkey.baseUrl}/token`, `${latchkey.baseUrl}/auth/shop/token`]) {
        expect(
          (await call(url, { method: 'POST', headers: FORM, body: new Uint8Array([0x61, 0x3d, 0xff, 0xfe]) }))
            .status,
        ).to.equal(400);
        expect(
          (
            await call(url, {
              method: 'POST',
              headers: { ...FORM, 'content-encoding': 'gzip' },
              body: 'client_id=shop',
            })
          ).status,
        ).to.equal(415);
      }
    });
  });

  describe('parameters', () => {
    it('#11 given twice are refused at the authorization endpoint, without a code', async () => {
      for (const kind of ['own', 'shared'] as const) {
        const { agent } = await signedIn(latchkey, shop, { email: EMAIL, kind });
        for (const name of [
          'client_id',
          'redirect_uri',
          'scope',
          'state',
          'response_type',
          'code_challenge',
        ]) {
          const { url } = await authorizationRequest(configurations[kind], {
            prompt: 'none',
            scope: 'openid',
          });
          url.searchParams.append(
            name,
            name === 'redirect_uri' ? 'http://evil.test/' : url.searchParams.get(name)!,
          );
          const page = await agent.open(url.href);
          if (page.url.startsWith(REDIRECT))
            expect(new URL(page.url).searchParams.get('error'), `${kind} ${name}`).to.equal(
              'invalid_request',
            );
          else expect(page.status, `${kind} ${name}`).to.equal(400);
          expect(page.url).to.not.match(/[?&]code=/);
          expect(page.url).to.not.include('evil.test');
        }
      }
    });

    it('#11 given twice are answered 400 at the other endpoints and in forms', async () => {
      for (const kind of ['own', 'shared'] as const) {
        for (const path of ['/token', '/introspect', '/revoke']) {
          const answer = await call(issuerOf(latchkey, 'shop', kind) + path, {
            method: 'POST',
            headers: { ...FORM, ...basic(shop) },
            body: 'grant_type=client_credentials&token=a&token=b&scope=x&scope=y&grant_type=client_credentials',
          });
          expect([answer.status, answer.body.error], kind + path).to.deep.equal([400, 'invalid_request']);
        }
      }
      const { agent, page } = await begun();
      const { csrf } = formsOf(page).find((form) => form.action.endsWith('/password'))!.fields as {
        csrf: string;
      };
      const body = `csrf=${csrf}&email=${EMAIL}&email=${EMAIL}&password=${encodeURIComponent(PASSWORD)}`;
      expect(
        (
          await agent.open(`${page.url}/password`, {
            method: 'POST',
            headers: { ...FORM, origin: latchkey.baseUrl },
            body,
          })
        ).status,
      ).to.equal(400);
    });

    it('that name two clients are refused at the shared issuer', async () => {
      const answer = await post(`${latchkey.baseUrl}/token`, shop, {
        grant_type: 'client_credentials',
        client_id: spa.clientId,
      });
      expect([answer.status, answer.body.error]).to.deep.equal([400, 'invalid_request']);
    });

    it('that nobody knows are ignored at the endpoints of OAuth and in forms (RFC 6749 §3.1)', async () => {
      for (const kind of ['own', 'shared'] as const) {
        const agent = latchkey.agent();
        const request = await authorizationRequest(configurations[kind], {
          zzz: 'unknown',
          user_id: 'usr_x',
        });
        const form = await agent.open(request.url.href);
        const page = await agent.submit(
          form,
          {
            email: EMAIL,
            password: PASSWORD,
            user_id: 'usr_x',
            email_verified: 'true',
            __proto__: 'x',
            constructor: 'y',
          },
          { ending: '/password' },
        );
        const answer = await post(tokenUrl(configurations[kind]), shop, {
          grant_type: 'authorization_code',
          code: new URL(page.url).searchParams.get('code')!,
          redirect_uri: REDIRECT,
          code_verifier: request.verifier,
          zzz: 'unknown',
        });
        expect(answer.status, answer.text).to.equal(200);
      }
    });

    it('#18 of client authentication are refused in the query, doubled, or in the wrong way', async () => {
      for (const url of [tokenUrl(configurations.own), tokenUrl(configurations.shared)]) {
        const form = { grant_type: 'client_credentials' };
        expect(
          (
            await call(`${url}?client_id=shop&client_secret=${shop.secret}`, {
              method: 'POST',
              body: new URLSearchParams(form),
            })
          ).status,
        ).to.be.oneOf([400, 401]);
        expect(
          (
            await call(url, {
              method: 'POST',
              headers: basic(shop),
              body: new URLSearchParams({ ...form, client_secret: shop.secret! }),
            })
          ).status,
        ).to.be.oneOf([400, 401]);
        for (const header of [
          'Basic',
          'Basic !!!',
          'Basic c2hvcA==',
          `Basic ${Buffer.from('shop:%').toString('base64')}`,
          'Bearer x',
          'Basic '.padEnd(9000, 'A'),
        ]) {
          const answer = await call(url, {
            method: 'POST',
            headers: { authorization: header },
            body: new URLSearchParams(form),
          });
          expect(answer.status, header.slice(0, 40)).to.be.within(400, 401);
        }
      }
    });

    it('#9 of implicit, hybrid and password flows are refused', async () => {
      for (const type of ['token', 'id_token', 'code id_token', 'code token', 'none']) {
        for (const kind of ['own', 'shared'] as const) {
          const { url } = await authorizationRequest(configurations[kind], { response_type: type });
          const page = await latchkey.agent().open(url.href);
          expect(page.url + page.html, `${kind} ${type}`).to.match(
            /unsupported_response_type|unauthorized_client|invalid_request/,
          );
          expect(page.url, `${kind} ${type}`).to.not.match(/[?#&](code|access_token|id_token)=/);
        }
      }
      const form = { grant_type: 'password', username: EMAIL, password: PASSWORD };
      for (const kind of ['own', 'shared'] as const) {
        const { body } = await post(tokenUrl(configurations[kind]), shop, form);
        expect(body.error, kind).to.equal('unsupported_grant_type');
      }
    });
  });

  describe('#1 #2 redirect URIs and client ids', () => {
    it('are compared exactly: anything else is a 400 page that leads nowhere', async () => {
      const evil = ['/', '?x=1', '%2f..%2fe', '/../e', '#x'].map((suffix) => REDIRECT + suffix);
      evil.push(
        'http://localhost:1@evil.test/callback',
        'http://evil.test/callback',
        'http://localhost.evil.test:1/callback',
        'http://LOCALHOST:1/callback',
        'http://localhost:1/CALLBACK',
        'http://localhost:2/callback',
        'https://localhost:1/callback',
      );
      evil.push(
        'javascript:alert(1)',
        'data:text/html,x',
        '//evil.test/callback',
        ' ',
        `${REDIRECT} http://evil.test`,
      );
      for (const kind of ['own', 'shared'] as const) {
        for (const uri of evil) {
          const { url } = await authorizationRequest(configurations[kind], { redirect_uri: uri });
          const response = await latchkey.agent().send(url.href);
          expect([response.status, response.headers.get('location')], `${kind} ${uri}`).to.deep.equal([
            400,
            null,
          ]);
          expect(await response.text()).to.not.include('evil.test');
        }
      }
    });

    it('that are markup come back nowhere', async () => {
      for (const kind of ['own', 'shared'] as const) {
        for (const parameters of [
          { client_id: '<svg/onload=1>' },
          { redirect_uri: '"><svg/onload=1>' },
          { response_mode: '<svg/onload=1>' },
          { ui_locales: '"><svg/onload=1>', redirect_uri: 'x:y' },
        ]) {
          const { url } = await authorizationRequest(configurations[kind], parameters);
          const page = await latchkey.agent().open(url.href);
          expect(page.status).to.be.oneOf([400, 303]);
          expect(page.html).to.not.include('<svg/');
        }
      }
    });
  });

  describe('unknown and disabled apps', () => {
    const pathsOf = (appId: string): string[] => [
      `/auth/${appId}/.well-known/openid-configuration`,
      `/.well-known/openid-configuration/auth/${appId}`,
      `/auth/${appId}/.well-known/jwks.json`,
      `/auth/${appId}/authorize?client_id=${appId}&response_type=code`,
      `/auth/${appId}/logout`,
      `/auth/${appId}/interaction/abc`,
      `/auth/${appId}/invitation/abc`,
    ];

    it('are the same 404 page at their own issuer, that of any address where nothing is', async () => {
      const nothing = plain((await latchkey.agent().open('/nothing-here')).html);
      for (const appId of ['closed', 'never-was', 'x', 'Not-An-Id']) {
        for (const path of pathsOf(appId)) {
          const page = await latchkey.agent().open(path);
          expect(page.status, path).to.equal(404);
          expect(plain(page.html), path).to.equal(nothing);
        }
      }
    });

    it('are the same 400 page, invalid_client or invalid_token at the shared issuer', async () => {
      const pages = new Set<string>();
      for (const appId of ['closed', 'never-was', '<b>', 'x'.repeat(200)]) {
        const { url } = await authorizationRequest(configurations.shared, { client_id: appId });
        const page = await latchkey.agent().open(url.href);
        expect([page.status, page.headers.get('location')], appId).to.deep.equal([400, null]);
        pages.add(plain(page.html));
        for (const path of ['/token', '/introspect', '/revoke']) {
          const answer = await post(
            latchkey.baseUrl + path,
            { appId, clientId: encodeURIComponent(appId), secret: 'x' },
            { grant_type: 'client_credentials', token: 'x' },
          );
          expect([answer.status, answer.body.error], `${path} ${appId}`).to.deep.equal([
            401,
            'invalid_client',
          ]);
        }
      }
      expect([...pages]).to.have.length(1);
      const claims = Buffer.from(JSON.stringify({ app_id: 'closed' })).toString('base64url');
      const refused = await call(`${latchkey.baseUrl}/userinfo`, {
        headers: {
          authorization: `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.x`,
        },
      });
      expect([refused.status, refused.body.error]).to.deep.equal([401, 'invalid_token']);
    });
  });

  describe('interactions', () => {
    it('#39 of another browser, or that never were, are a page with a way to start again', async () => {
      const { page } = await begun();
      for (const url of [page.url, `${latchkey.baseUrl}/auth/shop/interaction/never-was`]) {
        const foreign = await latchkey.agent().open(url);
        expect(foreign.status).to.equal(410);
        expect(foreign.html).to.include('href="http://localhost:1/');
      }
    });

    it('#39 that are finished are not taken up again', async () => {
      const { agent, page } = await begun();
      const callback = await agent.submit(
        page,
        { email: EMAIL, password: PASSWORD },
        { ending: '/password' },
      );
      expect(callback.url).to.match(/[?&]code=/);
      expect((await agent.open(page.url)).status).to.equal(410);
      const again = await agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect([again.status, again.url.startsWith(latchkey.baseUrl)]).to.deep.equal([410, true]);
    });

    it('#38 take no form without its token, with that of another browser, or sent from another site', async () => {
      const { agent, page } = await begun();
      const other = await begun();
      const foreign = formsOf(other.page).find((form) => form.action.endsWith('/password'))!.fields['csrf']!;
      const own = formsOf(page).find((form) => form.action.endsWith('/password'))!.fields['csrf']!;
      const send = (csrf: Record<string, string>, headers: Record<string, string> = {}): Promise<Page> =>
        agent.open(`${page.url}/password`, {
          method: 'POST',
          headers,
          body: new URLSearchParams({ ...csrf, email: EMAIL, password: PASSWORD }),
        });
      expect((await send({})).status).to.equal(403);
      expect((await send({ csrf: foreign })).status).to.equal(403);
      expect((await send({ csrf: own }, { origin: 'https://evil.test' })).status).to.equal(403);
      expect((await send({ csrf: own }, { 'sec-fetch-site': 'cross-site' })).status).to.equal(403);
      expect((await send({ csrf: own })).url).to.match(/[?&]code=/);
    });
  });

  describe('#32 a forged Host, X-Forwarded-Host or Forwarded', () => {
    const forged = {
      'x-forwarded-host': 'evil.test',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.test;proto=https',
      'x-original-host': 'evil.test',
    };
    const raw = (
      path: string,
      options: { method?: string; headers?: Record<string, string>; body?: string } = {},
    ): Promise<{ status: number; text: string }> =>
      new Promise((resolve, reject) => {
        const target = new URL(latchkey.baseUrl);
        const sent = httpRequest(
          {
            host: '127.0.0.1',
            port: target.port,
            path,
            method: options.method ?? 'GET',
            headers: { host: target.host, ...options.headers, ...forged },
          },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('end', () =>
              resolve({
                status: response.statusCode!,
                text: JSON.stringify(response.headers) + Buffer.concat(chunks).toString(),
              }),
            );
          },
        );
        sent.once('error', reject).end(options.body);
      });

    it('as Host is answered with a plain 404 that names nothing, whatever is asked for', async () => {
      const { url } = await authorizationRequest(configurations.shared);
      for (const path of [
        '/.well-known/openid-configuration',
        '/auth/shop/.well-known/openid-configuration',
        url.pathname + url.search,
        '/',
        '/nothing',
        '/api/v1/openapi.json',
        '/dev/inbox',
      ]) {
        const { status, text } = await raw(path, { headers: { host: 'evil.test' } });
        expect(status, path).to.equal(404);
        expect(text, path)
          .to.match(/}Not found\n$/)
          .and.not.match(/evil|shop|latchkey|localhost/i);
      }
      expect((await raw('/healthz', { headers: { host: 'evil.test' } })).status).to.equal(200);
    });

    it('appears in no document, redirect or page', async () => {
      for (const kind of ['own', 'shared'] as const) {
        const prefix = kind === 'own' ? '/auth/shop' : '';
        const metadata = await raw(`${prefix}/.well-known/openid-configuration`);
        expect(metadata.text).to.include(`"token_endpoint":"${issuerOf(latchkey, 'shop', kind)}/token"`);
        const { url } = await authorizationRequest(configurations[kind]);
        for (const path of [
          `${prefix}/.well-known/openid-configuration`,
          `${prefix}/.well-known/jwks.json`,
          url.pathname + url.search,
          `${prefix}/logout?client_id=shop`,
          '/',
          '/nothing',
          '/api/v1/openapi.json',
        ]) {
          expect((await raw(path)).text, path).to.not.include('evil');
        }
      }
    });

    it('appears in no mail', async () => {
      const { agent, page } = await begun();
      const form = formsOf(page).find((one) => one.action.endsWith('/password'))!;
      const cookie = agent
        .cookieNames()
        .map((name) => `${name}=${agent.cookie(name)}`)
        .join('; ');
      const path = `${new URL(page.url).pathname}/magic-link`;
      const sent = await raw(path, {
        method: 'POST',
        headers: { ...FORM, cookie },
        body: new URLSearchParams({ ...form.fields, email: EMAIL }).toString(),
      });
      expect(sent.status, sent.text).to.equal(303);
      expect(sent.text).to.not.include('evil');
      const [mail] = await latchkey.mailsTo(EMAIL);
      expect(mail!.text + mail!.html)
        .to.include(`${latchkey.baseUrl}/auth/shop/`)
        .and.not.include('evil');
    });
  });
});
