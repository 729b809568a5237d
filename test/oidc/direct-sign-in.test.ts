import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { change, directAnswers, makeClient } from '../support/direct.ts';
import { type Agent, formsOf, type Page } from '../support/agent.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  type Request,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, atOnce, basic, call } from '../support/token-calls.ts';

const QUERY_OF_ITS_OWN = 'http://localhost:1/callback?tenant=7&code=old';
/** Nobody knows it, and what is direct leaves it to the library, which keeps nothing of it. */
const UNKNOWN = 'nobody_knows_this=1';
/** What the library does without being asked; a sign-in that was begun with it ends at the library. */
const BY_LIBRARY = { response_mode: 'query' };

type Kind = 'own' | 'shared';
type Parameters = Record<string, string>;

for (const driver of drivers) {
  describe(`sign-ins that begin and end without the library, and as they would with it, on ${driver}`, function () {
    this.timeout(180_000);
    let latchkey: TestLatchkey;
    let shop: TestClient;
    /** Somebody new for each test, since attempts that fail are counted. */
    let email: string;
    let userId: string;
    let people = 0;
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
      await set('/apps/shop/clients/shop', { redirect_uris: [REDIRECT, QUERY_OF_ITS_OWN] });
      await addClient('told', { settings: { backchannel_logout_uri: 'https://told.example/logout' } });
      await addClient('public', { type: 'native' });
      await addClient('browser', { type: 'spa', settings: { refresh_bound_to_session: false } });
      await addClient('never', { settings: { refresh_tokens: 'never', subject_type: 'pairwise' } });
      await addClient('foreign', { settings: { first_party: false } });
      await addClient('bound', { settings: { dpop_bound_access_tokens: true } });
    });
    after(() => latchkey.stop());
    beforeEach(async () => {
      email = `ada${(people += 1)}@example.com`;
      userId = await makeUser(latchkey, 'shop', email);
    });

    const answeredDirectly = (): Promise<number> => directAnswers(latchkey);
    /** How many of the answers meanwhile were direct. */
    const counted = async <T>(work: () => Promise<T>): Promise<{ result: T; direct: number }> => {
      const before = await answeredDirectly();
      const result = await work();
      return { result, direct: (await answeredDirectly()) - before };
    };
    const codeIn = (url: string): string => {
      const code = new URL(url).searchParams.get('code');
      expect(code, url).to.match(/^[A-Za-z0-9_-]{43}$/);
      return code!;
    };

    for (const kind of ['own', 'shared'] as const) {
      const requestOf = async (client: TestClient, parameters: Parameters = {}): Promise<Request> =>
        authorizationRequest(await discover(latchkey, client, kind), {
          scope: 'openid email',
          ...parameters,
        });

      /** How one answer says what another says, whatever was drawn and whenever it was. */
      const sayingOf = async (response: Response, { url }: Request): Promise<unknown> => {
        const drawn = /interaction\/([\w-]+)/.exec(response.headers.get('location') ?? '')?.[1];
        const state = url.searchParams.get('state');
        const told = (text: string): string =>
          [drawn, state].reduce<string>(
            (said, value) => (value ? said.replaceAll(value, 'drawn') : said),
            text,
          );
        const kept = [...response.headers].filter(
          ([name]) => !/^(date|x-request-id|content-length|keep-alive|set-cookie)$/.test(name),
        );
        const text = told(await response.text());
        return {
          status: response.status,
          headers: kept.map(([name, value]) =>
            // Where it leads to may be named in it, which means nothing where nothing is drawn.
            told(`${name}: ${value}`).replaceAll(
              / 'nonce-[\w-]+'|(?<=form-action 'self') http:\/\/localhost:1/g,
              '',
            ),
          ),
          cookies: response.headers.getSetCookie().map((line) =>
            told(line)
              .replace(
                /expires=([^;]+)/,
                (_, when: string) => `expires=${Math.round((Date.parse(when) - Date.now()) / 10_000)}`,
              )
              .replace(/\.sig=[\w-]+/, '.sig='),
          ),
          text: /<title>.*<\/title>/.exec(text)?.[0] ?? text,
        };
      };

      /** Of an interaction, where it can be looked at: on Redis it is behind the same adapter. */
      const keptOf = async (response: Response): Promise<unknown> => {
        if (driver === 'redis' || !response.headers.get('location')?.includes('/interaction/')) return [];
        const [row] = await latchkey.sql(
          `select value::jsonb #- '{payload,cid}' #- '{payload,iat}' #- '{payload,params,state}' #- '{payload,params,nonce}'
             #- '{payload,params,code_challenge}' as kept, round(extract(epoch from expires_at - now()) / 10) as remaining
           from ephemeral where key like 'interaction:%' order by expires_at desc limit 1`,
        );
        return row;
      };

      type Beginning = {
        client?: TestClient;
        parameters?: Parameters;
        change?: (url: URL) => void;
        init?: RequestInit;
        agent?: () => Agent;
      };
      const begins = async ({
        client = shop,
        parameters = {},
        change = () => {},
        init = {},
        agent = () => latchkey.agent(),
      }: Beginning): Promise<boolean> => {
        const ask = async (addition: string) => {
          const request = await requestOf(client, parameters);
          change(request.url);
          const response = await agent().send(request.url.href + addition, init);
          return { said: await sayingOf(response, request), kept: await keptOf(response) };
        };
        const here = await counted(() => ask(''));
        const there = await counted(() => ask(`&${UNKNOWN}`));
        expect(there.direct, 'the library was asked').to.equal(0);
        expect(here.result).to.deep.equal(there.result);
        return here.direct === 1;
      };

      it(`a request of a stranger leads to the sign-in page (${kind} issuer)`, async () => {
        const without = (name: string) => (url: URL) => url.searchParams.delete(name);
        for (const [name, beginning] of Object.entries<Beginning>({
          plain: {},
          'with a hint': { parameters: { login_hint: 'ada@example.com' } },
          'in a language': { parameters: { ui_locales: 'de en' } },
          'for the whole profile': {
            parameters: { scope: 'openid profile email phone address offline_access' },
          },
          'to another address': { parameters: { redirect_uri: QUERY_OF_ITS_OWN } },
          'without state': { change: without('state') },
          'without nonce': { change: without('nonce') },
          'of a public client': { client: clients['public']! },
          'with cookies of others': {
            agent: () => {
              const browser = latchkey.agent();
              for (const one of ['lk_ses.other', 'lk_ses', 'lk_dev.shop', 'lk_int.shop.x', 'lk_res.shop.x'])
                browser.setCookie(one, 'x'.repeat(43));
              return browser;
            },
          },
        }))
          expect(await begins(beginning), name).to.equal(true);
      });

      it(`and what is not that plain is the library's (${kind} issuer)`, async () => {
        const bringing = (name: string, value = 'x'.repeat(43)) => ({
          agent: () => {
            const browser = latchkey.agent();
            browser.setCookie(name, value);
            return browser;
          },
        });
        const adding = (more: string) => ({ change: (url: URL) => void (url.search += more) });
        for (const [name, beginning] of Object.entries<Beginning>({
          'a session cookie': bringing('lk_ses.shop'),
          'an empty one': bringing('lk_ses.shop', ''),
          'its signature alone': bringing('lk_ses.shop.sig'),
          'prompt=login': { parameters: { prompt: 'login' } },
          'prompt=none': { parameters: { prompt: 'none' } },
          'prompt=create': { parameters: { prompt: 'create' } },
          max_age: { parameters: { max_age: '60' } },
          claims: { parameters: { claims: '{"id_token":{"acr":{"essential":true}}}' } },
          acr_values: { parameters: { acr_values: 'urn:latchkey:acr:2fa' } },
          id_token_hint: { parameters: { id_token_hint: 'x' } },
          'response_mode=form_post': { parameters: { response_mode: 'form_post' } },
          'another flow': { parameters: { response_type: 'code id_token' } },
          'an unknown scope': { parameters: { scope: 'openid nobodys' } },
          'no openid': { parameters: { scope: 'email' } },
          'an API': { parameters: { resource: 'https://nobody.example' } },
          'a foreign address': { parameters: { redirect_uri: 'https://evil.example/callback' } },
          'no challenge': { change: (url) => url.searchParams.delete('code_challenge') },
          'a plain challenge': { parameters: { code_challenge_method: 'plain' } },
          'state twice': adding('&state=again'),
          'an empty hint': adding('&login_hint='),
          'what is no text': adding('&login_hint=%FF'),
          'another site’s script': { init: { headers: { origin: 'https://evil.example' } } },
          HEAD: { init: { method: 'HEAD' } },
          'a client that asks': { client: clients['foreign']! },
          'one whose tokens are bound': { client: clients['bound']! },
          'one that is unknown': { client: { ...shop, clientId: 'nobody' } },
        }))
          expect(await begins(beginning), name).to.equal(false);
      });

      type SignedIn = { agent: Agent; page: Page; request: Request; asked: Page };
      const passwordPage = async (agent: Agent, request: Request): Promise<Page> => {
        const page = await agent.open(request.url.href);
        expect(page.status).to.equal(200);
        return page;
      };
      const typed = (agent: Agent, page: Page, password = PASSWORD): Promise<Page> =>
        agent.submit(page, { email, password }, { ending: '/password' });
      const signIn = async (
        client: TestClient,
        parameters: Parameters = {},
        agent = latchkey.agent(),
      ): Promise<SignedIn> => {
        const request = await requestOf(client, parameters);
        const asked = await passwordPage(agent, request);
        return { agent, request, asked, page: await typed(agent, asked) };
      };

      const redeem = (client: TestClient, code: string, request: Request): Promise<Answer> =>
        call(`${issuerOf(latchkey, 'shop', kind)}/token`, {
          method: 'POST',
          headers: client.secret === undefined ? {} : basic(client),
          body: new URLSearchParams({
            ...(client.secret === undefined ? { client_id: client.clientId } : {}),
            grant_type: 'authorization_code',
            code,
            redirect_uri: request.url.searchParams.get('redirect_uri')!,
            code_verifier: request.verifier,
          }),
        });

      /** What it left behind: in the browser, in the tables, and what the client makes of it. */
      const leftBy = async (client: TestClient, { agent, page, request }: SignedIn): Promise<unknown> => {
        const [session] = await latchkey.sql(
          `select s.uid, s.digest, s.payload, s.user_agent, host(s.address) as address, s.version, s.revision,
             round(extract(epoch from s.expires_at - now()) / 10) as idle, round(extract(epoch from s.absolute_expires_at - now()) / 10) as absolute,
             (select jsonb_agg(to_jsonb(c) - 'first_used_at') from session_clients c where c.app_id = s.app_id and c.session_uid = s.uid) as clients
           from sessions s where s.app_id = 'shop' and s.ended_at is null order by s.created_at desc limit 1`,
        );
        const { sid, grantId } = session!['payload'].authorizations[client.clientId];
        const [grant] = await latchkey.sql(
          `select payload, session_uid, client_id, user_id, round(extract(epoch from expires_at - now()) / 10) as remaining
           from grants where app_id = 'shop' and grant_id = $1`,
          [grantId],
        );
        const trail = await latchkey.sql(
          `select type, user_id, client_id, result, details, user_agent, host(address) as address from audit_events where app_id = 'shop' order by event_id desc limit 1`,
        );
        const answer = await redeem(client, codeIn(page.url), request);
        expect(answer.status, answer.text).to.equal(200);
        const { access_token: access, id_token: id, refresh_token: refresh, ...rest } = answer.body;
        const claimsOf = (token: string): object => {
          const { iat, exp, jti, nonce, ...claims } = decodeJwt(token);
          if (token === id) expect(nonce).to.equal(request.nonce);
          return { ...claims, ttl: exp! - iat!, hasId: jti !== undefined };
        };
        const left = {
          session,
          grant,
          trail,
          rest,
          access: claimsOf(access),
          id: claimsOf(id),
          refresh: refresh !== undefined,
          url: page.url.replaceAll(codeIn(page.url), 'code').replaceAll(request.state, 'state'),
          cookies: agent
            .cookies()
            .map(([name, , path]) => `${name} ${path}`)
            .toSorted(),
          // Sessions are looked up by it.
          isTheCookie: session!['digest'] !== undefined,
        };
        const text = JSON.stringify(left, (key, value: unknown) =>
          /^(digest|loginTs|auth_time)$/.test(key) ? typeof value : value,
        );
        return JSON.parse(
          [session!['uid'], sid, grantId].reduce<string>(
            (said, drawn: string) => said.replaceAll(drawn, 'drawn'),
            text.replaceAll(/(lk_(?:int|res)\.shop)\.[\w-]+|interaction\/[\w-]+/g, '$1'),
          ),
        );
      };

      const ENDS: [string, () => TestClient, string][] = [
        ['the app itself', () => shop, 'openid email'],
        ['one with a refresh token', () => shop, 'openid profile email offline_access'],
        ['one that is told of sign-out', () => clients['told']!, 'openid offline_access'],
        ['one without a secret, on a device', () => clients['public']!, 'openid offline_access'],
        ['one without a secret, in a browser', () => clients['browser']!, 'openid email offline_access'],
        ['one that knows people by other names', () => clients['never']!, 'openid email'],
      ];
      for (const [what, clientOf, scope] of ENDS)
        it(`whoever signs in is led back at once: ${what} (${kind} issuer)`, async () => {
          const client = clientOf();
          // Somebody who has been here, since a new browser is told of.
          await signIn(client, { scope });
          const here = await counted(() => signIn(client, { scope }));
          expect(here.direct, 'the beginning and the end').to.equal(2);
          const left = await leftBy(client, here.result);
          const there = await counted(() => signIn(client, { scope, ...BY_LIBRARY }));
          expect(there.direct, 'the library was asked').to.equal(0);
          expect(left).to.deep.equal(await leftBy(client, there.result));
          // The session is one like any other.
          const again = await counted(async () =>
            here.result.agent.open((await requestOf(client, { scope })).url.href),
          );
          expect(again.direct).to.equal(1);
          codeIn(again.result.url);
        });

      it(`state, its own query and the issuer are led back with it (${kind} issuer)`, async () => {
        const state = 'a b+c%&="ü€';
        const { page } = await signIn(shop, { state, redirect_uri: QUERY_OF_ITS_OWN });
        const { searchParams } = new URL(page.url);
        expect(searchParams.get('state')).to.equal(state);
        expect(searchParams.get('tenant')).to.equal('7');
        expect(searchParams.getAll('code')).to.have.length(1);
        expect(searchParams.get('iss')).to.equal(issuerOf(latchkey, 'shop', kind));
        const request = await requestOf(shop);
        request.url.searchParams.delete('state');
        const agent = latchkey.agent();
        const stateless = await typed(agent, await passwordPage(agent, request));
        expect(new URL(stateless.url).searchParams.has('state')).to.equal(false);
      });

      /** A browser that nobody is signed in at: their first one, or the one where they have been. */
      const browserOf = async (where: string): Promise<Agent> => {
        const browser = latchkey.agent();
        if (where === 'in a new browser') return browser;
        const { agent } = await signIn(shop);
        browser.setCookie('lk_dev.shop', agent.cookie('lk_dev.shop')!);
        return browser;
      };

      /** A sign-in whose end is not direct, though perhaps its beginning was. */
      const endsAtTheLibrary = async (
        between: (agent: Agent, page: Page) => Promise<void> | void,
        after: () => Promise<void> = async () => {},
      ): Promise<void> => {
        const agent = latchkey.agent();
        const page = await passwordPage(agent, await requestOf(shop));
        await between(agent, page);
        const { result, direct } = await counted(() => typed(agent, page));
        await after();
        expect(direct, result.url).to.equal(0);
      };

      it(`not where something has to be judged again (${kind} issuer)`, async () => {
        // A browser that brings a session, dead or alive or made up.
        const { agent: other } = await signIn(shop);
        const alive = ['lk_ses.shop', 'lk_ses.shop.sig'].map((name) => [name, other.cookie(name)!] as const);
        await endsAtTheLibrary((agent) => {
          for (const [name, value] of alive) agent.setCookie(name, value);
        });
        await endsAtTheLibrary((agent) => agent.setCookie('lk_ses.shop', 'x'.repeat(43)));
        await endsAtTheLibrary((agent) => agent.setCookie('lk_ses.shop.sig', 'x'.repeat(43)));
        // A request that was pushed, which is used up with its code.
        const pushing = await requestOf(shop);
        const pushed = await call(`${issuerOf(latchkey, 'shop', kind)}/par`, {
          method: 'POST',
          headers: basic(shop),
          body: pushing.url.searchParams,
        });
        const { request_uri: requestUri } = pushed.body;
        pushing.url.search = String(new URLSearchParams({ client_id: 'shop', request_uri: requestUri }));
        const browser = latchkey.agent();
        const form = await passwordPage(browser, pushing);
        expect((await counted(() => typed(browser, form))).direct).to.equal(0);
        // An app that has become stricter since.
        for (const [stricter, asItWas] of [
          [{ consent: 'always' }, { consent: 'first_party_skips' }],
          [{ require_pushed_authorization_requests: true }, { require_pushed_authorization_requests: false }],
        ])
          await endsAtTheLibrary(
            () => set('/apps/shop', { settings: stricter! }),
            () => set('/apps/shop', { settings: asItWas! }),
          );
        const at = `changing-${kind}`;
        const client = await addClient(at, {});
        for (const [stricter, asItWas] of [
          [{ first_party: false }, { first_party: true }],
          [{ dpop_bound_access_tokens: true }, { dpop_bound_access_tokens: false }],
          [{ require_pushed_authorization_requests: true }, { require_pushed_authorization_requests: false }],
        ]) {
          const agent = latchkey.agent();
          const page = await passwordPage(agent, await requestOf(client));
          await set(`/apps/shop/clients/${client.clientId}`, { settings: stricter });
          expect((await counted(() => typed(agent, page))).direct).to.equal(0);
          await set(`/apps/shop/clients/${client.clientId}`, { settings: asItWas });
        }
        const agent = latchkey.agent();
        const page = await passwordPage(agent, await requestOf(client));
        await set(`/apps/shop/clients/${client.clientId}`, { redirect_uris: [QUERY_OF_ITS_OWN] });
        expect((await counted(() => typed(agent, page))).direct).to.equal(0);
      });

      it(`a wrong password ends nothing, and the right one after it does (${kind} issuer)`, async () => {
        const agent = latchkey.agent();
        const page = await passwordPage(agent, await requestOf(shop));
        const wrong = await typed(agent, page, 'not this one');
        expect(wrong.html).to.contain('do not go together');
        expect(agent.cookieNames().filter((name) => name.startsWith('lk_ses'))).to.deep.equal([]);
        codeIn((await typed(agent, wrong)).url);
      });

      for (const where of ['in a new browser', 'in one that they know'])
        it(`of sixteen at once ${where} one is led back, with a session that lives (${kind} issuer)`, async () => {
          const agent = await browserOf(where);
          const request = await requestOf(shop);
          const page = await passwordPage(agent, request);
          const form = formsOf(page).find(({ action }) => action.endsWith('/password'))!;
          const rows = async (): Promise<number[]> => {
            const [row] = await latchkey.sql(
              `select (select count(*)::int from sessions where app_id = 'shop') as sessions, (select count(*)::int from session_clients where app_id = 'shop') as clients,
               (select count(*)::int from grants where app_id = 'shop') as grants, (select count(*)::int from audit_events where app_id = 'shop' and type = 'sign_in.succeeded') as events`,
            );
            return Object.values(row!) as number[];
          };
          const before = await rows();
          const answers = await atOnce(16, async () => {
            const response = await agent.send(form.action, {
              method: 'POST',
              headers: { origin: agent.origin },
              body: new URLSearchParams({ ...form.fields, email, password: PASSWORD }),
            });
            return { status: response.status, location: response.headers.get('location') ?? '', response };
          });
          const won = answers.filter(({ location }) => location.startsWith(REDIRECT));
          expect(won.length, JSON.stringify(answers.map(({ status }) => status))).to.equal(1);
          expect(await rows()).to.deep.equal(before.map((many) => many + 1));
          for (const { response, location } of answers)
            if (!location.startsWith(REDIRECT))
              expect(response.headers.getSetCookie().join()).not.to.contain('lk_ses');
          expect((await redeem(shop, codeIn(won[0]!.location), request)).status).to.equal(200);
          const again = await agent.open((await requestOf(shop)).url.href);
          codeIn(again.url);
        });

      it(`what another request has spent meanwhile gives nothing, and clears nothing (${kind} issuer)`, async () => {
        for (const where of ['in a new browser', 'in one that they know']) {
          const agent = await browserOf(where);
          const page = await passwordPage(agent, await requestOf(shop));
          const uid = /interaction\/([\w-]+)/.exec(page.url)![1];
          const left = () =>
            latchkey.sql(
              `select (select count(*) from sessions) as sessions, (select count(*) from grants) as grants, (select count(*) from known_devices) as devices,
                 (select count(*) from audit_events where type = 'sign_in.succeeded') as events, (select count(*) from sign_in_failures) as failures`,
            );
          await typed(agent, page, 'not this one');
          await latchkey.sql(
            `insert into spent (app_id, kind, digest, expires_at) values ('shop', 'interaction_result', $1, now() + interval '1 hour')`,
            [
              createHash('sha256')
                .update(JSON.stringify(['shop', uid, 'login']))
                .digest('base64url'),
            ],
          );
          const before = await left();
          expect((await typed(agent, page)).status).to.equal(410);
          expect(await left()).to.deep.equal(before);
        }
      });

      it(`what can not be written leaves nothing behind, and is done when it is tried again (${kind} issuer)`, async () => {
        for (const [statement, where] of [
          [/into sessions/, 'in a new browser'],
          [/into sessions/, 'in one that they know'],
          [/totp_authenticators/, 'in one that they know'],
        ] as const) {
          const agent = await browserOf(where);
          const request = await requestOf(shop);
          const page = await passwordPage(agent, request);
          failing = statement;
          const failed = await typed(agent, page);
          failing = undefined;
          expect(failed.status, String(statement)).to.equal(500);
          expect(failed.headers.getSetCookie().join()).not.to.contain('lk_ses');
          const done = await typed(agent, page);
          expect((await redeem(shop, codeIn(done.url), request)).status).to.equal(200);
        }
      });

      it(`somebody who is disabled meanwhile gets no session (${kind} issuer)`, async () => {
        const agent = latchkey.agent();
        const page = await passwordPage(agent, await requestOf(shop));
        await latchkey.sql(
          `create function leaves() returns trigger language plpgsql as 'begin return null; end'`,
        );
        await latchkey.sql(
          `create trigger leaves before insert on sessions for each row execute function leaves()`,
        );
        const { result, direct } = await counted(() => typed(agent, page));
        await latchkey.sql(`drop function leaves() cascade`);
        expect(direct).to.equal(0);
        expect(result.url).not.to.match(/[?&]code=/);

        const other = latchkey.agent();
        const asked = await passwordPage(other, await requestOf(shop));
        await set(`/apps/shop/users/${userId}`, { disabled: true });
        const refused = await typed(other, asked);
        await set(`/apps/shop/users/${userId}`, { disabled: false });
        expect(refused.html).to.contain('do not go together');
        expect(other.cookieNames().filter((name) => name.startsWith('lk_ses'))).to.deep.equal([]);
      });

      it(`a browser that they know is no news to them, and another one is (${kind} issuer)`, async () => {
        await signIn(shop);
        const told = async (): Promise<string> => {
          const [row] = await latchkey.sql(
            `select details from audit_events where app_id = 'shop' and type = 'sign_in.succeeded' order by event_id desc limit 1`,
          );
          return JSON.stringify(row!['details']);
        };
        const known = await browserOf('in one that they know');
        // That one was another browser, so it was told of.
        expect(await told()).to.contain('new_device');
        await latchkey.mailWith(email, 'sign-in');
        codeIn((await signIn(shop, {}, known)).page.url);
        expect(await told()).not.to.contain('new_device');
      });

      it(`it is over then, in every tab of the browser (${kind} issuer)`, async () => {
        const { agent, asked, page } = await signIn(shop);
        codeIn(page.url);
        expect((await agent.open(asked.url)).status).to.equal(410);
        expect((await typed(agent, asked)).status).to.equal(410);
        const uid = /interaction\/([\w-]+)/.exec(asked.url)![1];
        const resumed = await agent.open(`${issuerOf(latchkey, 'shop', kind)}/authorize/${uid}`);
        expect(resumed.url).not.to.match(/[?&]code=/);
        expect(resumed.status).to.be.oneOf([400, 410]);
      });
    }

    it('a page of one app ends no sign-in of another, and none of another browser', async () => {
      const bank = await makeApp(latchkey, 'bank', { settings: { signing_algorithm: 'ES256' } });
      await makeUser(latchkey, 'bank', email);
      for (const kind of ['own', 'shared'] as Kind[]) {
        const requestAt = async (client: TestClient) =>
          (await authorizationRequest(await discover(latchkey, client, kind))).url.href;
        const agent = latchkey.agent();
        const page = await agent.open(await requestAt(shop));
        const elsewhere = await agent.submit(
          page,
          { email, password: PASSWORD },
          { ending: '/password', action: formAction(page).replace('/auth/shop/', '/auth/bank/') },
        );
        expect(elsewhere.status).to.be.within(400, 499);
        const stranger = latchkey.agent();
        await stranger.open(await requestAt(bank));
        const stolen = await stranger.submit(page, { email, password: PASSWORD }, { ending: '/password' });
        expect(stolen.status).to.be.within(400, 499);
        for (const browser of [agent, stranger])
          expect(browser.cookieNames().filter((name) => name.startsWith('lk_ses'))).to.deep.equal([]);
      }
    });
  });
}

const formAction = (page: Page): string =>
  formsOf(page).find(({ action }) => action.endsWith('/password'))!.action;
