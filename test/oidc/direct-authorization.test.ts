import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import type { Agent } from '../support/agent.ts';
import { change, directAnswers, makeClient } from '../support/direct.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  REDIRECT,
  type Request,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, atOnce, basic, call, spoilt } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const QUERY_OF_ITS_OWN = 'http://localhost:1/callback?tenant=7&code=old';
/** Nobody knows this parameter: the library ignores it, and what is direct leaves it to the library. */
const UNKNOWN = 'nobody_knows_this=1';

type Seen = { agent: Agent; response: Response; location: URL | undefined; request: Request };
type Kind = 'own' | 'shared';

/** What an answer tells a client, wherever it does. */
const toldIn = ({ searchParams, hash }: URL, name: 'code' | 'error'): string | null =>
  searchParams.get(name) ?? new URLSearchParams(hash.slice(1)).get(name);

for (const driver of drivers) {
  describe(`codes that are given without the library, and as it would, on ${driver}`, function () {
    this.timeout(180_000);
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let userId: string;
    const clients: Record<string, TestClient> = {};
    let failing: RegExp | undefined;

    const set = (path: string, body: object): Promise<void> => change(latchkey, path, body);
    const addClient = async (name: string, body: object): Promise<TestClient> =>
      (clients[name] = await makeClient(latchkey, { name, ...body }));

    before(async () => {
      latchkey = await startTestLatchkey({
        driver,
        observe: ({ text }) => {
          if (failing?.test(text)) throw new Error('made to fail');
        },
      });
      shop = await makeApp(latchkey, 'shop', {
        settings: { signing_algorithm: 'ES256', features: { claims_parameter: true } },
      });
      await set('/apps/shop/clients/shop', {
        redirect_uris: [REDIRECT, QUERY_OF_ITS_OWN],
        scopes: ['teams'],
      });
      userId = await makeUser(latchkey, 'shop', EMAIL);
      await addClient('told', { settings: { backchannel_logout_uri: 'https://told.example/logout' } });
      await addClient('public', { type: 'native' });
      await addClient('browser', { type: 'spa', settings: { refresh_bound_to_session: false } });
      await addClient('never', { settings: { refresh_tokens: 'never', subject_type: 'pairwise' } });
      await addClient('foreign', { settings: { first_party: false } });
      await addClient('bound', { settings: { dpop_bound_access_tokens: true } });
      await addClient('worker', { type: 'service', redirect_uris: undefined });
    });
    after(() => latchkey.stop());

    const answeredDirectly = (): Promise<number> => directAnswers(latchkey);

    for (const kind of ['own', 'shared'] as const) {
      const requestOf = async (
        client: TestClient,
        parameters: Record<string, string> = {},
      ): Promise<Request> =>
        authorizationRequest(await discover(latchkey, client, kind), {
          scope: 'openid email',
          ...parameters,
        });

      /** Somebody who has been at the client, at this issuer, for this. */
      const visitor = async (client = shop, scope = 'openid email'): Promise<Agent> => {
        const agent = latchkey.agent();
        const page = await signInByPassword(agent, await requestOf(client, { scope }), EMAIL);
        expect(page.url).to.match(/[?&]code=/);
        return agent;
      };

      /** The same browser once more, whatever one answer takes away from it. */
      const copyOf = (agent: Agent): Agent => {
        const copy = latchkey.agent();
        for (const [name, value, path] of agent.cookies()) copy.setCookie(name, value, path);
        return copy;
      };

      const go = async (
        agent: Agent,
        request: Request,
        addition = '',
        init: RequestInit = {},
      ): Promise<Seen> => {
        const { href } = request.url;
        const brought = copyOf(agent);
        const response = await agent.send(addition ? `${href}&${addition}` : href, init);
        const to = response.headers.get('location');
        return {
          agent: brought,
          response,
          location: to === null ? undefined : new URL(to, agent.origin),
          request,
        };
      };

      /** How one answer says what another says, whatever was drawn and whenever it was. */
      const sayingOf = async ({ agent, response, location, request }: Seen): Promise<unknown> => {
        const headers = [...response.headers].filter(
          ([name]) => !['date', 'x-request-id', 'content-length', 'keep-alive', 'set-cookie'].includes(name),
        );
        const drawn = new Set([location && toldIn(location, 'code'), request.state]);
        const told = (text: string): string => {
          let said = text;
          for (const value of drawn) if (value) said = said.replaceAll(value, 'drawn');
          return said.replaceAll(/interaction\/[\w-]+/g, 'interaction/uid');
        };
        const text = await response.text();
        return {
          status: response.status,
          headers: headers.map(([name, value]) => {
            if (name !== 'content-security-policy') return `${name}: ${told(value)}`;
            // Where it leads to may be named in it, which means nothing where nothing is drawn.
            return `${name}: ${value.replaceAll(/ 'nonce-[\w-]+'|(?<=form-action 'self') http:\/\/localhost:1/g, '')}`;
          }),
          cookies: response.headers.getSetCookie().map((line) =>
            line
              .replace(/expires=([^;]+)/, (_, when: string) => {
                const soon = Date.parse(when) - Date.now();
                return `expires=${Math.round(soon / 10_000)}`;
              })
              .replace(/^(lk_(?:int|res)\.\w+)\.[\w-]+(\.sig)?=[\w-]+/, '$1$2=')
              .replace(
                /^(lk_ses\.shop(?:\.sig)?)=([\w-]+)/,
                (_, name: string, value: string) =>
                  `${name}=${value === agent.cookie(name) ? 'as it was' : 'another'}`,
              )
              .replaceAll(/interaction\/[\w-]+|authorize\/[\w-]+/g, 'uid'),
          ),
          text: /<title>.*<\/title>/.exec(text)?.[0] ?? told(text),
        };
      };

      const both = async (
        agent: Agent,
        asking: () => Promise<Request>,
        init?: RequestInit,
      ): Promise<{ here: Seen; there: Seen; isDirect: boolean }> => {
        const before = await answeredDirectly();
        const here = await go(copyOf(agent), await asking(), '', init);
        const between = await answeredDirectly();
        const there = await go(copyOf(agent), await asking(), UNKNOWN, init);
        expect(await answeredDirectly(), 'the library was asked').to.equal(between);
        expect(await sayingOf(here)).to.deep.equal(await sayingOf(there));
        return { here, there, isDirect: between > before };
      };

      const redeem = (client: TestClient, code: string, verifier: string): Promise<Answer> =>
        call(`${issuerOf(latchkey, 'shop', kind)}/token`, {
          method: 'POST',
          headers: client.secret === undefined ? {} : basic(client),
          body: new URLSearchParams({
            ...(client.secret === undefined ? { client_id: client.clientId } : {}),
            grant_type: 'authorization_code',
            code,
            redirect_uri: REDIRECT,
            code_verifier: verifier,
          }),
        });

      /** What a code leads to, and what is kept of it. */
      const worthOf = async (client: TestClient, { location, request }: Seen): Promise<unknown> => {
        const code = location!.searchParams.get('code')!;
        expect(code).to.match(/^[A-Za-z0-9_-]{43}$/);
        const digest = createHash('sha256').update(code).digest('base64url');
        const [row] =
          driver === 'postgres'
            ? await latchkey.sql(
                `select value::jsonb - '{iat,exp,nonce,codeChallenge}'::text[] as kept, value::jsonb ? 'nonce' as has_nonce,
                   (value::jsonb ->> 'exp')::int - (value::jsonb ->> 'iat')::int as ttl,
                   round(extract(epoch from expires_at - now()) / 10) as remaining from ephemeral where key like $1`,
                [`%${digest}`],
              )
            : [{}];
        expect(row, 'what is kept').not.to.equal(undefined);
        const answer = await redeem(client, code, request.verifier);
        expect(answer.status, answer.text).to.equal(200);
        const { access_token: access, id_token: id, refresh_token: refresh, ...rest } = answer.body;
        const claimsOf = (token: string): object => {
          const { iat, exp, jti, nonce, ...claims } = decodeJwt(token);
          if (token === id && request.url.searchParams.has('nonce')) expect(nonce).to.equal(request.nonce);
          return { ...claims, ttl: exp! - iat!, hasId: jti !== undefined, hasNonce: nonce !== undefined };
        };
        return { row, rest, access: claimsOf(access), id: claimsOf(id), refresh: refresh !== undefined };
      };

      const isDirect = async (
        agent: Agent,
        client: TestClient,
        parameters: Record<string, string>,
        change: (url: URL) => void = () => {},
      ): Promise<void> => {
        const asking = async (): Promise<Request> => {
          const request = await requestOf(client, parameters);
          change(request.url);
          return request;
        };
        const { here, there, isDirect: wasDirect } = await both(agent, asking);
        expect(wasDirect, `answered directly: ${here.request.url.search}`).to.equal(true);
        expect(here.location!.searchParams.get('iss')).to.equal(issuerOf(latchkey, 'shop', kind));
        expect(here.location!.searchParams.get('state')).to.equal(here.request.url.searchParams.get('state'));
        expect(here.response.headers.get('content-security-policy'), 'of what is no page').not.to.contain(
          'nonce',
        );
        const { redirect_uri: at } = parameters;
        if (at === undefined) expect(await worthOf(client, here)).to.deep.equal(await worthOf(client, there));
      };

      type Left = {
        client?: TestClient;
        parameters?: Record<string, string>;
        change?: (url: URL) => void;
        init?: RequestInit;
      };
      /** Where it leads instead: to the client with a code or an error, to our pages, or nowhere. */
      const isLeft = async (
        agent: Agent,
        leads: string,
        { client = shop, parameters = {}, change = () => {}, init }: Left = {},
      ): Promise<void> => {
        const asking = async (): Promise<Request> => {
          const request = await requestOf(client, parameters);
          change(request.url);
          return request;
        };
        const { here, isDirect: wasDirect } = await both(agent, asking, init);
        expect(wasDirect, `left to the library: ${here.request.url.search}`).to.equal(false);
        const { location, response } = here;
        const error = location && toldIn(location, 'error');
        const code = location && toldIn(location, 'code');
        const led = error ?? (code ? 'code' : location ? 'pages' : String(response.status));
        expect(led, `${JSON.stringify(parameters)} → ${location?.href}`).to.equal(leads);
      };

      /** Whether that was direct. */
      const authorizedOnce = async (agent: Agent, client: TestClient): Promise<boolean> => {
        const before = await answeredDirectly();
        expect((await go(agent, await requestOf(client))).location!.searchParams.has('code')).to.equal(true);
        return (await answeredDirectly()) > before;
      };

      it(`whoever has been there is led back with a code (${kind} issuer)`, async () => {
        const agent = await visitor();
        await isDirect(agent, shop, {});
        await isDirect(agent, shop, { scope: 'openid' });
        await isDirect(agent, shop, { scope: 'email openid email' });
        await isDirect(agent, shop, {}, (url) => url.searchParams.delete('state'));
        await isDirect(agent, shop, {}, (url) => url.searchParams.delete('nonce'));
        await isDirect(agent, shop, { state: 'a b+c%&="ü€' });
        await isDirect(agent, shop, { redirect_uri: QUERY_OF_ITS_OWN });
      });

      const VISITED: [string, () => TestClient, string][] = [
        ['with a refresh token', () => shop, 'openid profile email address phone offline_access'],
        ['that is told of sign-out', () => clients['told']!, 'openid offline_access'],
        ['without a secret, on a device', () => clients['public']!, 'openid offline_access'],
        ['without a secret, in a browser', () => clients['browser']!, 'openid email offline_access'],
        ['that knows people by other names', () => clients['never']!, 'openid email'],
      ];
      for (const [what, clientOf, scope] of VISITED)
        it(`at a client ${what} (${kind} issuer)`, async () => {
          await isDirect(await visitor(clientOf(), scope), clientOf(), { scope });
        });

      it(`nobody else (${kind} issuer)`, async () => {
        const agent = await visitor();
        // Who brings none is led to the sign-in page, see direct-sign-in.
        // Neither a cookie that nobody signed, nor one of another name, nor one that comes twice.
        const name = agent.cookieNames().find((one) => one.endsWith('lk_ses.shop'))!;
        const value = agent.cookie(name)!;
        const signature = agent.cookie(`${name}.sig`)!;
        for (const cookies of [
          { [name]: value },
          { [`${name}.sig`]: signature },
          { [name]: value, [`${name}.sig`]: spoilt(signature) },
          { [name]: spoilt(value), [`${name}.sig`]: signature },
          { [name]: 'x'.repeat(43), [`${name}.sig`]: signature },
        ]) {
          const stranger = latchkey.agent();
          for (const [one, kept] of Object.entries(cookies)) stranger.setCookie(one, kept!);
          await isLeft(stranger, 'pages');
        }
        const cookie = `${name}=${value}; ${name}.sig=${signature}`;
        const twice = (header: string): RequestInit => ({ headers: { cookie: header } });
        await isLeft(latchkey.agent(), 'code', { init: twice(`${cookie}; ${cookie}`) });
        await isLeft(latchkey.agent(), 'code', {
          init: twice(`${name}="${value}"; ${name}.sig=${signature}`),
        });
        await isLeft(latchkey.agent(), 'pages', {
          init: twice(`${name}=; ${name}.sig=${signature}; ${cookie}`),
        });
      });

      it(`and nothing else (${kind} issuer)`, async () => {
        const agent = await visitor();
        for (const [leads, parameters] of [
          ['pages', { prompt: 'login' }],
          ['pages', { prompt: 'select_account' }],
          ['code', { prompt: 'none' }],
          ['code', { prompt: 'consent' }],
          ['code', { max_age: '3600' }],
          ['pages', { max_age: '0' }],
          ['code', { ui_locales: 'de' }],
          ['code', { login_hint: EMAIL }],
          ['code', { acr_values: 'urn:latchkey:acr:2fa' }],
          ['code', { claims: '{"id_token":{"email":null}}' }],
          ['pages', { claims: '{"id_token":{"acr":{"essential":true,"value":"urn:latchkey:acr:2fa"}}}' }],
          ['code', { response_mode: 'query' }],
          ['code', { response_mode: 'fragment' }],
          ['unsupported_response_type', { response_type: 'code id_token' }],
          ['invalid_scope', { scope: 'openid\u0001' }],
          ['invalid_request', { scope: 'email' }],
          ['code', { scope: 'openid teams' }],
          ['code', { scope: 'openid nobodys' }],
          ['invalid_request', { code_challenge_method: 'plain' }],
          ['invalid_request', { code_challenge: 'short' }],
          ['code', { code_challenge: 'a'.repeat(44) }],
          ['code', { code_challenge: `${'a'.repeat(42)}.` }],
          ['invalid_target', { resource: 'https://nobody.example' }],
          ['400', { redirect_uri: `${REDIRECT}/` }],
          ['400', { redirect_uri: 'https://evil.example/callback' }],
        ] as [string, Record<string, string>][])
          await isLeft(agent, leads, { parameters });
        const without = (name: string) => (url: URL) => url.searchParams.delete(name);
        await isLeft(agent, '400', { change: without('redirect_uri') });
        await isLeft(agent, 'code', { parameters: { scope: 'email' }, change: without('nonce') });
        await isLeft(agent, 'invalid_request', { change: without('code_challenge') });
        await isLeft(agent, 'invalid_request', { change: without('code_challenge_method') });
        await isLeft(agent, 'invalid_request', { change: without('response_type') });
        const adding = (more: string) => (url: URL) => void (url.search += more);
        await isLeft(agent, 'invalid_request', { change: adding('&state=twice') });
        await isLeft(agent, 'code', { change: adding('&prompt=') });
        await isLeft(agent, 'code', {
          change: (url) => void (url.search = url.search.replace(/state=[^&]+/, 'state=')),
        });
        await isLeft(agent, 'code', {
          change: (url) => void (url.search = url.search.replace(/nonce=[^&]+/, 'nonce=%FF')),
        });
        await isLeft(agent, 'code', { init: { headers: { origin: 'https://evil.example' } } });
        await isLeft(agent, 'code', { init: { headers: { dpop: 'x' } } });
        await isLeft(agent, 'code', { init: { method: 'HEAD' } });
        await isLeft(agent, '400', { client: clients['worker']! });
        await isLeft(agent, '400', { client: { ...shop, clientId: 'nobody' } });
      });

      it(`not for the first time at a client, at an issuer or for more (${kind} issuer)`, async () => {
        const agent = await visitor();
        const elsewhere = kind === 'own' ? 'shared' : 'own';
        const other = await authorizationRequest(await discover(latchkey, shop, elsewhere), {
          scope: 'openid',
        });
        const before = await answeredDirectly();
        for (const request of [
          await requestOf(clients['told']!),
          other,
          await requestOf(shop, { scope: 'openid email profile' }),
        ])
          expect((await go(agent, request)).location!.searchParams.has('code')).to.equal(true);
        expect(await answeredDirectly(), 'the library was asked').to.equal(before);
        await isDirect(agent, clients['told']!, {});
        await isDirect(agent, shop, { scope: 'openid email profile' });
        const member = await visitor(shop, 'openid teams');
        await isLeft(member, 'code', { parameters: { scope: 'openid teams' } });
        const bound = await visitor(clients['bound']!);
        await isLeft(bound, 'code', { client: clients['bound']! });
      });

      it(`not where people are asked what a client may have (${kind} issuer)`, async () => {
        const agent = latchkey.agent();
        const page = await signInByPassword(agent, await requestOf(clients['foreign']!), EMAIL);
        const allowed = await agent.submit(page, { decision: 'allow' });
        expect(allowed.url).to.match(/[?&]code=/);
        await isLeft(agent, 'code', { client: clients['foreign']! });
        const first = await visitor();
        await set('/apps/shop', { settings: { consent: 'always' } });
        await isLeft(first, 'code');
        await set('/apps/shop', {
          settings: { consent: 'first_party_skips', require_pushed_authorization_requests: true },
        });
        await isLeft(first, 'invalid_request');
        await set('/apps/shop', { settings: { require_pushed_authorization_requests: false } });
        await isDirect(first, shop, {});
      });

      it(`not at a client that by now has to push its requests, or to sign them, or may have less (${kind} issuer)`, async () => {
        const at = `changing-${kind}`;
        await addClient(at, {});
        const client = clients[at]!;
        const agent = await visitor(client);
        const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
        const jwks = { keys: [{ kty: 'OKP', crv: 'Ed25519', x }] };
        for (const [has, hasNot] of [
          [{ require_pushed_authorization_requests: true }, { require_pushed_authorization_requests: false }],
          [{ require_signed_request_object: true, jwks }, { require_signed_request_object: false }],
        ]) {
          await isDirect(agent, client, {});
          await set(`/apps/shop/clients/${client.clientId}`, { settings: has });
          await isLeft(agent, 'invalid_request', { client });
          await set(`/apps/shop/clients/${client.clientId}`, { settings: hasNot });
        }
        // Its tokens outlive the session from now on, which the session has to remember.
        await set(`/apps/shop/clients/${client.clientId}`, { settings: { refresh_bound_to_session: false } });
        const once = await authorizedOnce(agent, client);
        expect(once).to.equal(false);
        await isDirect(agent, client, {});
        const parameters = { scope: 'openid offline_access' };
        const offline = await visitor(client, parameters.scope);
        await isDirect(offline, client, parameters);
        await set(`/apps/shop/clients/${client.clientId}`, { settings: { refresh_tokens: 'never' } });
        await isLeft(offline, 'code', { client, parameters });
        await set(`/apps/shop/clients/${client.clientId}`, { disabled: true });
        await isLeft(agent, '400', { client });
      });

      it(`not when what it stands on has ended (${kind} issuer)`, async () => {
        const signedOut = await visitor();
        const copy = copyOf(signedOut);
        await isDirect(copy, shop, {});
        const ended = await latchkey.admin('DELETE', `/apps/shop/users/${userId}/sessions`);
        expect(ended.status, JSON.stringify(ended.body)).to.be.oneOf([200, 204]);
        await isLeft(copy, 'pages');

        const revoked = await visitor();
        await isDirect(revoked, shop, {});
        await latchkey.sql(
          `update grants set revoked_at = now(), revoked_why = 'test' where app_id = 'shop'`,
        );
        // With Redis a grant that only the row knows to be over lives on for minutes: nothing of ours ends one like this.
        if (driver === 'postgres') expect(await authorizedOnce(revoked, shop)).to.equal(false);

        // However it came about that the session leads to what is somebody else's.
        if (driver === 'postgres') {
          const mixed = await visitor();
          await latchkey.sql(
            `update grants set payload = payload || '{"accountId":"usr_bob"}' where app_id = 'shop'`,
          );
          expect(await authorizedOnce(mixed, shop)).to.equal(false);
        }

        // Nobody has told the cache; who it is is asked each time.
        const locked = await visitor();
        await isDirect(locked, shop, {});
        await latchkey.sql(`update users set disabled_at = now() where user_id = $1`, [userId]);
        await isLeft(locked, 'pages');
        await latchkey.sql(`update users set disabled_at = null where user_id = $1`, [userId]);

        const disabled = await visitor();
        await isDirect(disabled, shop, {});
        await set(`/apps/shop/users/${userId}`, { disabled: true });
        await isLeft(disabled, 'pages');
        await set(`/apps/shop/users/${userId}`, { disabled: false });
      });

      it(`a session that is used so lives on, and one that ends meanwhile gives none (${kind} issuer)`, async function () {
        // With Redis the age of a session is that of what is kept there: moving the row's clock behind it proves nothing.
        if (driver === 'redis') this.skip();
        const agent = await visitor();
        const idle = (): Promise<unknown> =>
          latchkey.sql(
            `update sessions set touched_at = now() - interval '2 minutes', expires_at = now() + interval '1 minute' where app_id = 'shop'`,
          );
        const remaining = async (): Promise<number> => {
          const [row] = await latchkey.sql(
            `select max(extract(epoch from expires_at - now()))::int as left from sessions where app_id = 'shop' and ended_at is null`,
          );
          return row!['left'];
        };
        await idle();
        await isDirect(agent, shop, {});
        expect(await remaining()).to.be.within(12 * 3600 - 60, 12 * 3600);

        await idle();
        failing = /update sessions set/;
        const away = await go(agent, await requestOf(shop));
        failing = undefined;
        expect(away.response.status).to.equal(500);
        expect(away.response.headers.getSetCookie()).to.deep.equal([]);
        expect(away.response.headers.get('cache-control')).to.equal('no-store');
        expect(await remaining()).to.be.below(61);

        await latchkey.sql(
          `create function nothing() returns trigger language plpgsql as 'begin return null; end'`,
        );
        await latchkey.sql(
          `create trigger ends before update on sessions for each row execute function nothing()`,
        );
        const before = await answeredDirectly();
        const { location } = await go(agent, await requestOf(shop));
        await latchkey.sql(`drop function nothing() cascade`);
        expect(location!.searchParams.get('error')).to.equal('login_required');
        expect(location!.searchParams.has('code')).to.equal(false);
        expect(await answeredDirectly()).to.equal(before);
      });

      it(`sixteen at once get sixteen codes, each good once (${kind} issuer)`, async () => {
        const agent = await visitor();
        const request = await requestOf(shop);
        const before = await answeredDirectly();
        const seen = await atOnce(16, () => go(agent, request));
        expect(await answeredDirectly()).to.equal(before + 16);
        const codes = seen.map(({ location }) => location!.searchParams.get('code'));
        expect(new Set(codes).size).to.equal(16);
        const answers = await Promise.all(codes.map((code) => redeem(shop, code!, request.verifier)));
        expect(answers.map(({ status }) => status)).to.deep.equal(Array(16).fill(200));
      });
    }

    it('a session of another app is none here, whatever its cookie is called', async () => {
      const bank = await makeApp(latchkey, 'bank', { settings: { signing_algorithm: 'ES256' } });
      await makeUser(latchkey, 'bank', EMAIL);
      for (const kind of ['own', 'shared'] as Kind[]) {
        const agent = latchkey.agent();
        const request = await authorizationRequest(await discover(latchkey, bank, kind), {
          scope: 'openid email',
        });
        expect((await signInByPassword(agent, request, EMAIL)).url).to.match(/[?&]code=/);
        const renamed = latchkey.agent();
        for (const [name, value] of agent.cookies()) renamed.setCookie(name.replace('.bank', '.shop'), value);
        const asked = await authorizationRequest(await discover(latchkey, shop, kind), {
          scope: 'openid email',
        });
        for (const browser of [agent, renamed]) {
          const response = await browser.send(asked.url.href);
          expect(response.headers.get('location')).to.contain('/auth/shop/interaction/');
        }
      }
    });
  });
}
