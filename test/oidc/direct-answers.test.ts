import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import type { Agent } from '../support/agent.ts';
import { change, directAnswers, makeClient } from '../support/direct.ts';
import { proof, proofKey } from '../support/dpop.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  REDIRECT,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, basic, call } from '../support/token-calls.ts';

const ORDERS = 'https://orders.example/';
const STOCK = 'https://stock.example/v1';

/** How a request looks: what is not named is not sent. */
type Asked = {
  kind: 'own' | 'shared';
  path: 'token' | 'introspect' | 'userinfo';
  headers?: Record<string, string>;
  /** As it is, so that fields can come twice and be badly encoded. */
  form?: string;
};

/** Of all values of a list one, the same for the same seed and step. */
function chooser(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
}

for (const driver of drivers) {
  describe(`what is answered without the library, and as it would, on ${driver}`, function () {
    this.timeout(180_000);
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let worker: TestClient;
    const clients: Record<string, TestClient> = {};
    const tokens: Record<string, string> = {};
    /** Statements that fail, and how. */
    let failing: { what: RegExp; error: Error; times: number } | undefined;

    const addClient = (body: object): Promise<TestClient> => makeClient(latchkey, body);
    const addApi = async (body: object): Promise<void> => {
      const made = await latchkey.admin('POST', '/apps/shop/apis', body);
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
    };
    const set = (path: string, body: object): Promise<void> => change(latchkey, path, body);

    before(async () => {
      latchkey = await startTestLatchkey({
        driver,
        observe: ({ text }) => {
          if (!failing?.what.test(text)) return;
          failing.times += 1;
          throw failing.error;
        },
      });
      const settings = {
        signing_algorithm: 'ES256',
        custom_claims: [
          { name: 'plan', from: 'metadata.plan', in: ['userinfo', 'access_token'], scope: null },
          { name: 'team', from: 'metadata.team', in: ['userinfo'], scope: 'teams' },
          { name: 'desk', from: 'metadata.desk', in: ['id_token', 'access_token'], scope: null },
          { name: 'room', from: 'metadata.room', in: ['id_token'], scope: 'teams' },
        ],
      };
      shop = await makeApp(latchkey, 'shop', { settings });
      await set('/apps/shop/clients/shop', { scopes: ['teams'] });
      await makeUser(latchkey, 'shop', 'ada@example.com', {
        profile: { name: 'Ada', address: { country: 'GB' }, zoneinfo: 'Europe/London' },
        metadata: { plan: 'gold', team: ['a', 'b'], desk: { floor: 2 }, room: 'R1' },
        locale: 'de',
      });
      const scope = (name: string, more: object = {}) => ({ name, description: name, ...more });
      await addApi({
        identifier: ORDERS,
        name: 'Orders',
        scopes: [scope('orders:read', { default: true }), scope('orders:write'), scope('orders:all')],
        access_token_ttl: 120,
      });
      await addApi({ identifier: STOCK, name: 'Stock', scopes: [scope('stock:read')] });
      const service = { name: 'Worker', type: 'service', redirect_uris: undefined };
      const settingsOf = (more: object) => ({ settings: more });
      const apiScopes = { api_scopes: { [ORDERS]: ['orders:read', 'orders:write'], [STOCK]: [] } };
      worker = await addClient({ ...service, scopes: ['a', 'b:c'], ...settingsOf(apiScopes) });
      clients['bare'] = await addClient({ ...service });
      const posting = { token_endpoint_auth_method: 'client_secret_post' };
      clients['posting'] = await addClient({ ...service, scopes: ['a'], ...settingsOf(posting) });
      const bound = { dpop_bound_access_tokens: true };
      clients['bound'] = await addClient({ ...service, scopes: ['a'], ...settingsOf(bound) });
      clients['disabled'] = await addClient({ ...service, scopes: ['a'] });
      await set(`/apps/shop/clients/${clients['disabled'].clientId}`, { disabled: true });
      clients['pairwise'] = await addClient({
        name: 'Other',
        type: 'web',
        redirect_uris: ['http://localhost:1/callback'],
        settings: { subject_type: 'pairwise' },
      });
      clients['told'] = await addClient({
        name: 'Told',
        type: 'web',
        redirect_uris: [REDIRECT],
        settings: { backchannel_logout_uri: 'https://told.example/logout', refresh_tokens: 'always' },
      });
      clients['public'] = await addClient({ name: 'Public', type: 'native', redirect_uris: [REDIRECT] });
      clients['never'] = await addClient({
        name: 'Never',
        type: 'web',
        redirect_uris: [REDIRECT],
        settings: { refresh_tokens: 'never', subject_type: 'pairwise' },
      });
      const at = { email: 'ada@example.com' };
      const everything = { scope: 'openid email profile phone address teams offline_access' };
      for (const kind of ['own', 'shared'] as const) {
        const held = await signedIn(latchkey, shop, { ...at, kind, parameters: everything });
        tokens[`${kind} everything`] = held.tokens.access_token;
        tokens[`${kind} refresh`] = held.tokens.refresh_token!;
        const few = await signedIn(latchkey, shop, { ...at, kind, parameters: { scope: 'openid' } });
        tokens[`${kind} openid`] = few.tokens.access_token;
        const api = { scope: 'openid orders:read', resource: ORDERS };
        tokens[`${kind} api`] = (
          await signedIn(latchkey, shop, { ...at, kind, parameters: api })
        ).tokens.access_token;
        const form = 'grant_type=client_credentials&scope=a';
        const { body } = await ask({ kind, path: 'token', headers: basic(worker), form });
        tokens[`${kind} worker`] = body.access_token;
      }
      const other = await signedIn(latchkey, clients['pairwise'], { ...at, kind: 'own' });
      tokens['own pairwise'] = other.tokens.access_token;
      // In the middle of a second, so that two answers one after the other say the same.
      await latchkey.sql(
        `update refresh_tokens set expires_at = date_trunc('second', expires_at) + interval '500 ms'`,
      );
    });
    after(() => latchkey.stop());

    const ask = ({ kind, path, headers = {}, form }: Asked, addition = ''): Promise<Answer> => {
      const url = `${issuerOf(latchkey, 'shop', kind)}/${path}`;
      if (form === undefined) return call(url + (addition && `?${addition}`), { headers });
      return call(url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: form + (addition && `&${addition}`),
      });
    };
    const answeredDirectly = (): Promise<number> => directAnswers(latchkey);
    /** How one answer says what another says, whatever was drawn and whenever it was. */
    const sayingOf = ({ status, headers, body, text }: Answer): unknown => {
      const said = Object.fromEntries(headers);
      for (const name of ['date', 'x-request-id', 'content-length', 'keep-alive']) delete said[name];
      if (!body?.access_token) return { status, said, text: body ?? text };
      const { access_token: access, id_token: id, refresh_token: refresh, ...rest } = body;
      if (refresh !== undefined) expect(refresh).to.match(/^[A-Za-z0-9_-]{43}$/);
      const tokens = {
        access: tokenSaying(access),
        id: id && tokenSaying(id),
        refresh: refresh !== undefined,
      };
      return { status, said, names: Object.keys(body), rest, tokens };
    };
    const tokenSaying = (token: string): object => {
      const { jti, iat, exp, nonce, ...claims } = decodeJwt(token);
      if (jti !== undefined) expect(jti).to.match(/^[A-Za-z0-9_-]{43}$/);
      expect(Math.abs(iat! - Date.now() / 1000)).to.be.below(60);
      return { header: decodeProtectedHeader(token), claims, ttl: exp! - iat!, nonce: typeof nonce };
    };
    /** Nobody knows this parameter: the library ignores it, and what is direct leaves it to the library. */
    const UNKNOWN = 'nobody_knows_this=1';
    const both = async (asked: Asked): Promise<{ answer: Answer; direct: boolean }> => {
      const before = await answeredDirectly();
      const answer = await ask(asked);
      const between = await answeredDirectly();
      const byLibrary = await ask(asked, UNKNOWN);
      expect(await answeredDirectly(), 'the library was asked').to.equal(between);
      expect(sayingOf(answer), JSON.stringify(asked)).to.deep.equal(sayingOf(byLibrary));
      return { answer, direct: between > before };
    };
    const isDirect = async (asked: Asked): Promise<Answer> => {
      const { answer, direct } = await both(asked);
      expect(direct, `answered directly: ${JSON.stringify(asked)}`).to.equal(true);
      expect(answer.status).to.equal(200);
      return answer;
    };
    const isLeft = async (asked: Asked, status: number): Promise<Answer> => {
      const { answer, direct } = await both(asked);
      expect(direct, `left to the library: ${JSON.stringify(asked)}`).to.equal(false);
      expect(answer.status, answer.text).to.equal(status);
      return answer;
    };

    for (const kind of ['own', 'shared'] as const) {
      const token = (form: string, headers = basic(worker)): Asked => ({
        kind,
        path: 'token',
        headers,
        form: form ? `grant_type=client_credentials&${form}` : 'grant_type=client_credentials',
      });
      const encoded = encodeURIComponent(ORDERS);
      const shown = ({ clientId, secret }: TestClient): string =>
        `client_id=${clientId}&client_secret=${secret}`;

      it(`tokens of service accounts, in every plain form (${kind} issuer)`, async () => {
        await isDirect(token(''));
        await isDirect(token('scope=a'));
        await isDirect(token('scope=b%3Ac+a+b:c'));
        await isDirect(token('', basic(clients['bare']!)));
        await isDirect(token(`client_id=${worker.clientId}`));
        await isDirect(token(`scope=a&${shown(worker)}`, {}));
        await isDirect(token(`scope=a&${shown(clients['posting']!)}`, {}));
        await isDirect(token('scope=a', basic(clients['posting']!)));
        const { body } = await isDirect(token(`resource=${encoded}`));
        expect(body.scope).to.equal('orders:read');
        expect(body.expires_in).to.equal(120);
        await isDirect(token(`resource=${encoded}&scope=orders:write+orders:read`));
        await isDirect(token(`resource=${encodeURIComponent('https://ORDERS.example')}`));
        await isDirect(token(`resource=${encodeURIComponent(STOCK)}`));
      });

      it(`and nothing else of tokens (${kind} issuer)`, async () => {
        const wrong = { ...worker, secret: 'x'.repeat(43) };
        await isLeft(token('', basic(wrong)), 401);
        await isLeft(token('', basic(clients['disabled']!)), 401);
        await isLeft(token('', {}), kind === 'own' ? 400 : 401);
        await isLeft(token(shown(worker)), 400);
        await isLeft(token(`client_id=${shop.clientId}`), 400);
        await isLeft(token('', { authorization: `Bearer ${tokens[`${kind} worker`]}` }), 400).catch(
          async () => isLeft(token('', { authorization: `Bearer ${tokens[`${kind} worker`]}` }), 401),
        );
        await isLeft(token('scope=a+c'), 400);
        await isLeft(token('scope=a++b:c'), 400);
        await isLeft(token('scope=a&scope=a'), 400);
        await isLeft(token('scope=a&grant_type=client_credentials'), 400);
        // It means something only together with its API.
        await isLeft(token('scope=orders:read'), 400);
        await isLeft(token('scope=openid'), 400);
        await isLeft(token('scope='), 200);
        await isLeft(token('scope=%FF'), 400);
        await isLeft(token(`resource=${encoded}&scope=orders:all`), 400);
        await isLeft(token(`resource=${encoded}&scope=stock:read`), 400);
        await isLeft(token(`resource=${encoded}&resource=${encodeURIComponent(STOCK)}`), 400);
        await isLeft(token(`resource=${encodeURIComponent(`${ORDERS}#x`)}`), 400);
        await isLeft(token('resource=https%3A%2F%2Fnobody.example'), 400);
        await isLeft(token('scope=a', basic(clients['bound']!)), 400);
        await isLeft(token('', basic(shop)), 400);
        await isLeft(token('scope=a', { ...basic(worker), dpop: 'x' }), 400);
        await isLeft(token('scope=a', { ...basic(worker), origin: 'https://evil.example' }), 400);
        await isLeft({ ...token(''), form: 'grant_type=password' }, 400);
        await isLeft({ ...token(''), form: '' }, 400);
      });

      it(`introspection of good tokens, by whoever may (${kind} issuer)`, async () => {
        const about = (name: string, by: TestClient, more = ''): Asked => ({
          kind,
          path: 'introspect',
          headers: basic(by),
          form: `token=${tokens[name]}${more}`,
        });
        for (const name of ['everything', 'openid', 'api', 'worker']) {
          const { body } = await isDirect(about(`${kind} ${name}`, shop));
          expect(body.active).to.equal(true);
        }
        await isDirect(about(`${kind} worker`, worker, '&token_type_hint=refresh_token'));
        await isDirect({
          ...about(`${kind} worker`, worker, `&${shown(worker)}`),
          headers: {},
        });
        if (kind === 'own') {
          await isDirect(about('own pairwise', shop));
          await isDirect(about('own pairwise', clients['pairwise']!));
          await isLeft(about('shared worker', worker), 200);
        }
        await isLeft(about(`${kind} everything`, worker), 200);
        await isLeft(about(`${kind} refresh`, shop), 200);
        await isLeft(about(`${kind} everything`, { ...shop, secret: 'wrong' }), 401);
        await isLeft({ ...about(`${kind} worker`, shop), form: 'token=a.b.c' }, 200);
        await isLeft({ ...about(`${kind} worker`, shop), form: 'token_type_hint=access_token' }, 400);
      });

      it(`userinfo, as far as the scopes go (${kind} issuer)`, async () => {
        const about = (value: string, more: Record<string, string> = {}): Asked => ({
          kind,
          path: 'userinfo',
          headers: { authorization: `Bearer ${value}`, ...more },
        });
        const { body } = await isDirect(about(tokens[`${kind} everything`]!));
        expect(body).to.include({ name: 'Ada', email: 'ada@example.com', plan: 'gold', locale: 'de' });
        expect(body.team).to.deep.equal(['a', 'b']);
        const few = await isDirect(about(tokens[`${kind} openid`]!));
        expect(Object.keys(few.body)).to.have.members(['sub', 'app_id', 'plan']);
        if (kind === 'own') await isDirect(about(tokens['own pairwise']!));
        await isLeft(about(tokens[`${kind} worker`]!), 401);
        await isLeft(about(tokens[`${kind} api`]!), 401);
        await isLeft(about('a.b.c'), 401);
        await isLeft(about(tokens[`${kind} everything`]!, { origin: 'https://evil.example' }), 400);
        await isLeft({ kind, path: 'userinfo' }, 401);
      });

      /** A code of somebody who is signed in; each call gives another one of the same session and grant. */
      const codeFor = async (client: TestClient, scope: string): Promise<Record<string, string>> => {
        const configuration = await discover(latchkey, client, kind);
        const request = await authorizationRequest(configuration, { scope });
        if (!scope.includes('openid')) request.url.searchParams.delete('nonce');
        agents[kind] ??= latchkey.agent();
        const { url } = await signInByPassword(agents[kind], request, 'ada@example.com');
        const code = new URL(url).searchParams.get('code');
        return { code: code!, redirect_uri: REDIRECT, code_verifier: request.verifier };
      };
      const tokenBy = (client: TestClient, fields: Record<string, string>): Asked => ({
        kind,
        path: 'token',
        headers: client.secret ? basic(client) : {},
        form: new URLSearchParams({
          ...(client.secret ? {} : { client_id: client.clientId }),
          ...fields,
        }).toString(),
      });
      const agents: Partial<Record<'own' | 'shared', Agent>> = {};
      const redeeming = (client: TestClient, fields: Record<string, string>): Asked =>
        tokenBy(client, { grant_type: 'authorization_code', ...fields });
      const refreshing = (client: TestClient, token: string): Asked =>
        tokenBy(client, { grant_type: 'refresh_token', refresh_token: token });
      /** The same thing of two equals, one answered here and one by the library. */
      const twins = async (one: Asked, other: Asked): Promise<[Answer, Answer]> => {
        const before = await answeredDirectly();
        const here = await ask(one);
        expect(await answeredDirectly(), `answered directly: ${here.text}`).to.equal(before + 1);
        const there = await ask(other, UNKNOWN);
        expect(await answeredDirectly(), 'the library was asked').to.equal(before + 1);
        expect(here.status, here.text).to.equal(200);
        expect(sayingOf(here)).to.deep.equal(sayingOf(there));
        const kept = await Promise.all([here, there].map(({ body }) => rowOf(body.refresh_token)));
        expect(kept[0]).to.deep.equal(kept[1]);
        return [here, there];
      };
      /** What is kept of a refresh token, but for what was drawn and when. */
      const rowOf = async (token: string | undefined): Promise<unknown> => {
        if (token === undefined) return undefined;
        const digest = createHash('sha256').update(token).digest('base64url');
        const [row] = await latchkey.sql(
          `select issuer, grant_id, client_id, user_id, session_uid, predecessor is not null as has_predecessor,
             payload - '{iat,iiat,nonce}'::text[] as payload, payload->>'nonce' is not null as has_nonce,
             payload->'iat' is not null and payload->'iiat' is not null as has_times,
             consumed_at, round(extract(epoch from expires_at - now()) / 30) as remaining
           from refresh_tokens where digest = $1`,
          [digest],
        );
        expect(row).not.to.equal(undefined);
        return row;
      };
      const CLIENTS: [string, () => TestClient, string][] = [
        ['the first client', () => shop, 'openid email profile teams offline_access'],
        ['the first client without a refresh token', () => shop, 'openid email'],
        ['one that is told of sign-out', () => clients['told']!, 'openid'],
        ['one without a secret', () => clients['public']!, 'openid offline_access'],
        ['one that is given none and knows people by other names', () => clients['never']!, 'openid email'],
      ];

      for (const [who, clientOf, scope] of CLIENTS)
        it(`the redemption of a code, and refreshing twice, by ${who} (${kind} issuer)`, async () => {
          const client = clientOf();
          await codeFor(client, scope);
          let [one, other] = await twins(
            redeeming(client, await codeFor(client, scope)),
            redeeming(client, await codeFor(client, scope)),
          );
          expect(decodeJwt(one.body.id_token)['sid'] !== undefined).to.equal(client === clients['told']);
          for (let turn = 0; turn < 2 && one.body.refresh_token; turn += 1)
            [one, other] = await twins(
              refreshing(client, one.body.refresh_token),
              refreshing(client, other.body.refresh_token),
            );
        });

      it(`and no other codes and refresh tokens (${kind} issuer)`, async () => {
        const scope = 'openid offline_access';
        const good = await codeFor(shop, scope);
        await isLeft(redeeming(clients['told']!, good), 400);
        await isLeft(redeeming(shop, { ...good, code_verifier: 'x'.repeat(43) }), 400);
        await isLeft(redeeming(shop, { ...good, code_verifier: 'short' }), 400);
        await isLeft(redeeming(shop, { ...good, redirect_uri: `${REDIRECT}/` }), 400);
        await isLeft(redeeming(shop, { ...good, code: 'x'.repeat(43) }), 400);
        const { code: _code, ...without } = good;
        await isLeft(redeeming(shop, without), 400);
        const { code_verifier: _verifier, ...unproved } = good;
        await isLeft(redeeming(shop, unproved), 400);
        // Fields of another grant mean nothing, and are not ours to judge.
        const left = await ask(redeeming(shop, { ...good, refresh_token: 'x' }));
        expect(left.status, left.text).to.equal(200);
        const token = left.body.refresh_token as string;
        await isLeft(refreshing(clients['told']!, token), 400);
        await isLeft(refreshing(worker, token), 400);
        await isLeft(refreshing(shop, `${token}x`), 400);
        await isLeft(tokenBy(shop, { grant_type: 'refresh_token' }), 400);
        await isLeft(
          tokenBy(shop, { grant_type: 'refresh_token', refresh_token: token, scope: 'email' }),
          400,
        );
        // Used, and used again by its successor: everything of it ends, whoever asks.
        const next = await ask(refreshing(shop, token));
        await ask(refreshing(shop, next.body.refresh_token));
        await isLeft(refreshing(shop, token), 400);
        await isLeft(refreshing(shop, next.body.refresh_token), 400);
      });

      it(`no token without openid at userinfo, and no introspection by whoever has no secret (${kind} issuer)`, async () => {
        const plain = await ask(redeeming(shop, await codeFor(shop, 'email')));
        expect(plain.status, plain.text).to.equal(200);
        expect(plain.body.id_token).to.equal(undefined);
        const headers = { authorization: `Bearer ${plain.body.access_token}` };
        await isLeft({ kind, path: 'userinfo', headers }, 403);
        const own = await ask(redeeming(clients['public']!, await codeFor(clients['public']!, 'openid')));
        const form = `client_id=${clients['public']!.clientId}&token=${own.body.access_token}`;
        const { body } = await isLeft({ kind, path: 'introspect', form }, 200);
        expect(body).to.deep.equal({ active: false });
      });

      it(`nothing that is bound to a key, without its proof (${kind} issuer)`, async () => {
        const client = clients['public']!;
        const key = await proofKey();
        const htu = `${issuerOf(latchkey, 'shop', kind)}/token`;
        const asked = redeeming(client, await codeFor(client, 'openid offline_access'));
        const bound = await ask({ ...asked, headers: { dpop: await proof(key, { htu }) } });
        expect(bound.body.token_type, bound.text).to.equal('DPoP');
        await isLeft(refreshing(client, bound.body.refresh_token), 400);
        const headers = { authorization: `Bearer ${bound.body.access_token}` };
        await isLeft({ kind, path: 'userinfo', headers }, 401);
        const about = { form: `token=${bound.body.access_token}`, headers: basic(shop) };
        const { body } = await isDirect({ kind, path: 'introspect', ...about });
        expect(body).to.have.nested.property('cnf.jkt');
        expect(body.token_type).to.equal('DPoP');
      });

      if (driver === 'postgres')
        it(`no code of a session that has ended, though its grant lives (${kind} issuer)`, async () => {
          const fields = await codeFor(shop, 'openid');
          await latchkey.sql(`update sessions set expires_at = now() - interval '1 second'`);
          await isLeft(redeeming(shop, fields), 400);
          delete agents[kind];
        });

      it(`a refresh token once, whoever answers: sixteen at once get one successor (${kind} issuer)`, async () => {
        const { body } = await ask(redeeming(shop, await codeFor(shop, 'openid offline_access')));
        const asked = refreshing(shop, body.refresh_token);
        const answers = await Promise.all(
          Array.from({ length: 16 }, (_, at) => ask(asked, at % 2 ? UNKNOWN : '')),
        );
        const good = answers.filter(({ status }) => status === 200);
        expect(good.length).to.be.above(0);
        expect(new Set(good.map((answer) => answer.body.refresh_token)).size).to.equal(1);
        expect((await ask(refreshing(shop, good[0]!.body.refresh_token))).status).to.equal(200);
      });

      it(`a code once, whoever answers: of sixteen at once one wins (${kind} issuer)`, async () => {
        const asked = redeeming(shop, await codeFor(shop, 'openid offline_access'));
        const answers = await Promise.all(
          Array.from({ length: 16 }, (_, at) => ask(asked, at % 2 ? UNKNOWN : '')),
        );
        expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).to.deep.equal([
          200,
          ...Array(15).fill(400),
        ]);
      });

      it(`what goes wrong is said as the library's way says it, and cached by nobody (${kind} issuer)`, async () => {
        const away = Object.assign(new Error('shutting down'), { code: '57P01' });
        const ours = new Error('a mistake of ours');
        const { body } = await ask(redeeming(shop, await codeFor(shop, 'openid offline_access')));
        const headers = { authorization: `Bearer ${body.access_token}` };
        const userinfo: Asked = { kind, path: 'userinfo', headers };
        for (const [what, asked] of [
          [/from grants g join people/, userinfo],
          [/from refresh_tokens r\s+join grants/, refreshing(shop, body.refresh_token)],
          [/update refresh_tokens r set consumed_at/, refreshing(shop, body.refresh_token)],
        ] as const)
          for (const [error, status] of [
            [away, 503],
            [ours, 500],
          ] as const) {
            failing = { what, error, times: 0 };
            const here = await ask(asked);
            // Asked once: it was not handed on when it failed.
            expect(failing.times).to.equal(1);
            const there = await ask(asked, UNKNOWN);
            failing = undefined;
            expect(here.status).to.equal(status);
            expect(here.headers.get('cache-control')).to.equal('no-store');
            expect(here.headers.get('retry-after')).to.equal(status === 503 ? '2' : null);
            expect(sayingOf(here)).to.deep.equal(sayingOf(there));
          }
        expect((await ask(refreshing(shop, body.refresh_token))).status, 'nothing was spent').to.equal(200);
      });

      it(`requests put together by chance, never otherwise than the library (${kind} issuer)`, async () => {
        const choose = chooser(kind === 'own' ? 7 : 11);
        const pieces = [
          'grant_type=client_credentials',
          'grant_type=client_credentials',
          'grant_type=refresh_token',
          `client_id=${worker.clientId}`,
          `client_id=${shop.clientId}`,
          `client_secret=${worker.secret}`,
          'client_secret=',
          'scope=a',
          'scope=a+b%3Ac',
          'scope=a%20a',
          'scope=%22',
          'scope=nothing',
          'scope',
          '=a',
          '%73cope=a',
          'scope=%zz',
          'Scope=b:c',
          `resource=${encoded}`,
          `resource=${encodeURIComponent(STOCK)}`,
          'resource=orders',
          `token=${tokens[`${kind} worker`]}`,
          `token=${tokens[`${kind} everything`]}`,
          'token_type_hint=access_token',
          'audience=x',
          '',
        ];
        const authorizations = [
          basic(worker).authorization,
          basic(worker).authorization,
          basic(shop).authorization,
          `basic  ${Buffer.from(`${worker.clientId}:${worker.secret}`).toString('base64')}`,
          `BASIC ${Buffer.from(`${worker.clientId}:${worker.secret}`).toString('base64url')}`,
          `Basic ${Buffer.from(`${worker.clientId}:${worker.secret}%20`).toString('base64')}`,
          `Basic ${Buffer.from(`${worker.clientId}`).toString('base64')}`,
          undefined,
        ];
        let direct = 0;
        for (let round = 0; round < 150; round += 1) {
          const chosen = Array.from({ length: choose([0, 1, 1, 2, 3, 4]) }, () => choose(pieces));
          const form = [...choose([[], [pieces[0]!]]), ...chosen].join('&');
          const authorization = choose([authorizations[0], choose(authorizations)]);
          const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
          const found = await both({ kind, path: choose(['token', 'introspect'] as const), headers, form });
          if (found.direct) direct += 1;
        }
        expect(direct).to.be.above(5);
      });
    }
  });
}
