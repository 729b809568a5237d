import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import * as oidc from 'openid-client';
import type { Agent } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { agentAt, discoverAt, giveDomain, NameServers } from '../support/domain.ts';
import { type LogoutReceiver, startLogoutReceiver } from '../support/logout-receiver.ts';
import { signOut } from '../support/sign-out.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  REDIRECT,
  signedIn,
  SIGNED_OUT,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { atOnce, basic, call, introspect, post, userinfo } from '../support/token-calls.ts';

const ADA = 'ada@example.com';
const BOB = 'bob@example.com';
const FAR = 'https://far.example/callback';
const ORDERS = 'https://orders.example';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const PAIRWISE = { subject_type: 'pairwise' };
const [driver] = drivers;

describe('pairwise subjects (OpenID Connect Core §8)', function () {
  this.timeout(120_000);
  const names = new NameServers();
  const published = new Map<string, { status?: number; text: string }>();
  let latchkey: TestLatchkey;
  let receiver: LogoutReceiver;
  let site: Server;
  let siteUrl: string;
  let shop: TestClient;
  let one: TestClient;
  let two: TestClient;
  let ada: string;

  const send = (appId: string, body: object) =>
    latchkey.admin('POST', `/apps/${appId}/clients`, {
      name: 'One of them',
      type: 'web',
      redirect_uris: [REDIRECT],
      post_logout_redirect_uris: [SIGNED_OUT],
      ...body,
    });
  const addClient = async (settings: object = {}, more: object = {}, appId = 'shop'): Promise<TestClient> => {
    const made = await send(appId, { settings: { ...PAIRWISE, ...settings }, ...more });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    return { appId, clientId: made.body.client_id, secret: made.body.client_secret };
  };
  /** Lists these addresses as a sector and says where. */
  const publish = (name: string, list: unknown): string => {
    published.set(`/${name}`, { text: typeof list === 'string' ? list : JSON.stringify(list) });
    return `${siteUrl}/${name}`;
  };
  const subAt = async (client: TestClient, at: { email?: string; kind?: 'own' | 'shared' } = {}) =>
    (await signedIn(latchkey, client, { email: ADA, kind: 'own', ...at })).tokens.claims()!.sub;

  before(async () => {
    receiver = await startLogoutReceiver();
    site = createServer((request, response) => {
      const found = published.get(request.url!);
      response.writeHead(found ? (found.status ?? 200) : 404, { 'content-type': 'application/json' });
      response.end(found?.text ?? '');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => site.once('listening', resolve));
    const host = `127.0.0.1:${(site.address() as AddressInfo).port}`;
    siteUrl = `http://${host}`;
    latchkey = await startTestLatchkey({
      driver: driver!,
      env: { OUTBOUND_ALLOWED_HOSTS: `${host},${receiver.host}` },
      resolveTxt: names.resolveTxt,
    });
    const features = {
      claims_parameter: true,
      jwt_introspection: true,
      token_exchange: true,
      device_authorization: true,
    };
    shop = await makeApp(latchkey, 'shop', {
      settings: {
        features,
        dynamic_registration: 'open',
        client_id_metadata_documents: true,
        registered_clients: { per_network_per_hour: 1000 },
      },
    });
    await makeApp(latchkey, 'bank');
    ada = await makeUser(latchkey, 'shop', ADA, { metadata: { sub: 'custom' } });
    await makeUser(latchkey, 'shop', BOB);
    await makeUser(latchkey, 'bank', ADA);
    one = await addClient({ backchannel_logout_uri: receiver.uri('/one') });
    two = await addClient({ token_exchange: { delegate: true, audiences: [ORDERS, 'shop'] } });
    const made = await latchkey.admin('POST', '/apps/shop/apis', {
      identifier: ORDERS,
      name: 'Orders',
      scopes: [{ name: 'orders:read' }],
      server_clients: [two.clientId],
    });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
  });
  after(async () => {
    await latchkey.stop();
    await receiver.stop();
    site.close();
  });

  for (const kind of ['own', 'shared'] as const) {
    it(`are one and the same in everything that a client sees (${kind} issuer)`, async () => {
      const configuration = await discover(latchkey, one, kind);
      expect(configuration.serverMetadata().subject_types_supported).to.deep.equal(['public', 'pairwise']);
      const { agent, tokens } = await signedIn(latchkey, one, { email: ADA, kind });
      const { sub } = tokens.claims()!;
      expect(sub).to.match(/^[A-Za-z0-9_-]{43}$/);
      expect(decodeJwt(tokens.access_token)).to.include({ sub, client_id: one.clientId });
      const info = await oidc.fetchUserInfo(configuration, tokens.access_token, sub);
      expect(info).to.include({ sub, email: ADA });
      const shown = await introspect(configuration, one, tokens.access_token);
      expect(shown.body, shown.text).to.include({ active: true, sub, client_id: one.clientId });
      const refreshToken = await introspect(configuration, one, tokens.refresh_token!);
      expect(refreshToken.body).to.include({ active: true, sub });
      const toTheApp = await introspect(await discover(latchkey, shop, kind), shop, tokens.access_token);
      expect(toTheApp.body, 'whoever asks').to.include({ active: true, sub });
      const signed = await call(configuration.serverMetadata().introspection_endpoint!, {
        method: 'POST',
        headers: { ...basic(one), accept: 'application/token-introspection+jwt' },
        body: new URLSearchParams({ token: tokens.access_token }),
      });
      expect(decodeJwt(signed.text)['token_introspection']).to.include({ active: true, sub });
      const later = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
      expect(later.claims()!.sub, 'after a refresh').to.equal(sub);
      expect(decodeJwt(later.access_token).sub).to.equal(sub);

      receiver.received.length = 0;
      const { id_token: hint } = later;
      await signOut(latchkey, agent, 'shop', kind === 'own' ? { id_token_hint: hint! } : {});
      const [told] = await receiver.wait(1);
      expect(told!.claims).to.include({ sub, iss: issuerOf(latchkey, 'shop', kind) });

      const seen = [tokens, later, info, shown.body, refreshToken.body, told!.claims, told!.header];
      for (const text of [tokens, later].flatMap((all) => [all.id_token!, all.access_token]))
        seen.push(decodeJwt(text) as never);
      expect(JSON.stringify([seen, decodeJwt(signed.text), [...signed.headers]])).to.not.include(ada);
      expect(JSON.stringify(seen)).to.include(sub);
    });

    it(`say who is meant in a hint and in a claims request (${kind} issuer)`, async () => {
      const { agent, configuration, tokens } = await signedIn(latchkey, one, { email: ADA, kind });
      const { tokens: other } = await signedIn(latchkey, one, { email: BOB, kind });
      const { tokens: elsewhere } = await signedIn(latchkey, shop, { email: ADA, kind });
      const silently = async (parameters: Record<string, string>): Promise<URLSearchParams> => {
        const request = await authorizationRequest(configuration, { prompt: 'none', ...parameters });
        return new URL((await agent.open(request.url.href)).url).searchParams;
      };
      const asking = (value: string) => ({ claims: JSON.stringify({ id_token: { sub: { value } } }) });
      expect((await silently({ id_token_hint: tokens.id_token! })).has('code')).to.equal(true);
      expect((await silently(asking(tokens.claims()!.sub))).has('code')).to.equal(true);
      const wrong = [{ id_token_hint: other.id_token! }, asking(other.claims()!.sub), asking(ada)];
      for (const parameters of wrong)
        expect((await silently(parameters)).get('error')).to.equal('login_required');
      const foreign = await silently({ id_token_hint: elsewhere.id_token! });
      expect(foreign.get('error'), 'the ID token of another client').to.equal('invalid_request');
      const asked = await agent.open(
        `${issuerOf(latchkey, 'shop', kind)}/logout?id_token_hint=${tokens.id_token}&post_logout_redirect_uri=${SIGNED_OUT}`,
      );
      expect(asked.html).to.include(ADA);
      expect((await agent.submit(asked, { logout: 'yes' }, { ending: '/logout/confirm' })).url).to.equal(
        SIGNED_OUT,
      );
    });

    it(`leave access tokens what they are, until they are revoked or their grant is (${kind} issuer)`, async () => {
      const { configuration, tokens } = await signedIn(latchkey, one, { email: ADA, kind });
      const states = async (token: string) => [
        (await userinfo(configuration, token)).status,
        (await introspect(configuration, one, token)).body.active,
      ];
      const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
      expect(await states(tokens.access_token)).to.deep.equal([200, true]);
      await oidc.tokenRevocation(configuration, tokens.access_token);
      expect(await states(tokens.access_token)).to.deep.equal([401, false]);
      expect(await states(next.access_token), 'only the one').to.deep.equal([200, true]);
      const grants = await latchkey.admin('GET', `/apps/shop/users/${ada}/grants`);
      const { gid } = decodeJwt(next.access_token);
      expect(grants.body.items.map((grant: any) => grant.grant_id)).to.include(gid);
      await latchkey.admin('DELETE', `/apps/shop/users/${ada}/grants/${String(gid)}`);
      expect(await states(next.access_token)).to.deep.equal([401, false]);
    });
  }

  it('are the same at both issuers and at a domain, and shared by the clients of one sector only', async () => {
    const far = await addClient({}, { redirect_uris: [FAR] });
    const both = publish('both', [REDIRECT, FAR, 'https://more.example/x']);
    const listed = await addClient({ sector_identifier_uri: both }, { redirect_uris: [FAR, REDIRECT] });
    const bank = await addClient({}, {}, 'bank');
    const sub = await subAt(one);
    expect(await subAt(one, { kind: 'shared' })).to.equal(sub);
    expect(await subAt(two), 'the same host').to.equal(sub);
    const atFar = await signedIn(latchkey, far, { email: ADA, parameters: { redirect_uri: FAR } });
    const others = [
      atFar.tokens.claims()!.sub,
      await subAt(listed),
      await subAt(bank),
      await subAt(one, { email: BOB }),
    ];
    expect(new Set([ada, sub, ...others]).size, 'none is another').to.equal(6);
    // The clock, other clients and the app's settings have no part in it.
    await latchkey.admin('PATCH', '/apps/shop', { name: 'Shop of old', settings: { code_ttl: 61 } });
    expect(await subAt(one)).to.equal(sub);

    await giveDomain(latchkey, names, { appId: 'bank', domain: 'id.bank.example' });
    const configuration = await discoverAt(latchkey, bank, 'https://id.bank.example');
    expect(configuration.serverMetadata().subject_types_supported).to.include('pairwise');
    const request = await authorizationRequest(configuration);
    const page = await signInByPassword(agentAt(latchkey, 'https://id.bank.example'), request, ADA);
    const tokens = await redeem(configuration, request, page.url);
    expect(tokens.claims()!.sub).to.equal(others[2]);
  });

  it('get one salt, however many first clients and first sign-ins come at once', async () => {
    await makeApp(latchkey, 'rush');
    await makeUser(latchkey, 'rush', ADA);
    const salts = () => latchkey.sql(`select salt from subject_salts where app_id = 'rush'`);
    expect(await salts()).to.deep.equal([]);
    const clients = await atOnce(16, () => addClient({}, {}, 'rush'));
    const [salt, ...more] = await salts();
    expect([salt!['salt'].split('.')[0], more.length]).to.deep.equal(['v1', 0]);
    // One person's password may only be tried so often: the browser is signed in already.
    const { agent, tokens } = await signedIn(latchkey, clients[0]!, { email: ADA });
    const all = await Promise.all(clients.map((client) => signedIn(latchkey, client, { email: ADA, agent })));
    for (const { tokens: others } of all) expect(others.claims()!.sub).to.equal(tokens.claims()!.sub);
    expect(await salts(), 'never replaced').to.deep.equal([salt]);
    // It goes with the app.
    expect((await latchkey.admin('DELETE', '/apps/rush?confirm=rush')).status).to.equal(204);
    for (const deadline = Date.now() + 40_000; (await salts()).length > 0 && Date.now() < deadline; )
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await salts()).to.deep.equal([]);
  });

  it('go with a token to an API and through an exchange, which ends with the grant', async () => {
    const { tokens } = await signedIn(latchkey, one, {
      email: ADA,
      kind: 'own',
      parameters: { resource: ORDERS, scope: 'openid orders:read' },
    });
    const { sub } = tokens.claims()!;
    expect(decodeJwt(tokens.access_token)).to.include({ sub, aud: ORDERS });
    const url = `${issuerOf(latchkey, 'shop', 'own')}/token`;
    const support = await addClient(
      { subject_type: 'public', token_exchange: { impersonate: true, audiences: [ORDERS, 'shop'] } },
      { type: 'service', redirect_uris: [], post_logout_redirect_uris: [] },
    );
    const exchange = (client: TestClient, form: Record<string, string>) =>
      post(url, client, {
        grant_type: EXCHANGE,
        subject_token_type: ACCESS_TOKEN,
        resource: ORDERS,
        ...form,
      });
    const { tokens: actor } = await signedIn(latchkey, two, { email: BOB, kind: 'own' });
    const given = await exchange(two, {
      subject_token: tokens.access_token,
      actor_token: actor.access_token,
      actor_token_type: ACCESS_TOKEN,
    });
    expect(given.status, given.text).to.equal(200);
    const claims = decodeJwt(given.body.access_token);
    // As the client that asked knows them both.
    expect(claims).to.deep.include({ sub, client_id: two.clientId, act: { sub: actor.claims()!.sub } });
    const configuration = await discover(latchkey, two, 'own');
    const isActive = async (): Promise<unknown> =>
      (await introspect(configuration, two, given.body.access_token)).body;
    expect(await isActive()).to.include({ active: true, sub });
    const [event] = (await latchkey.admin('GET', '/apps/shop/audit-events?limit=1')).body.items;
    expect(event).to.include({ type: 'token.exchanged', user_id: ada });

    const { tokens: forApp } = await signedIn(latchkey, one, { email: ADA, kind: 'own' });
    const plain = await exchange(support, {
      subject_token: forApp.access_token,
      resource: 'shop',
    });
    expect(plain.status, plain.text).to.equal(200);
    expect(decodeJwt(plain.body.access_token).sub, 'a public client knows the user id').to.equal(ada);
    await latchkey.admin('DELETE', `/apps/shop/users/${ada}/grants/${String(claims['gid'])}`);
    expect(await isActive()).to.deep.equal({ active: false });
  });

  it('are had by a device whose sector has a document', async () => {
    const uri = publish('tv', ['http://127.0.0.1/cb', REDIRECT]);
    const tv = await addClient(
      { device_authorization: true, sector_identifier_uri: uri },
      { type: 'native', redirect_uris: ['http://127.0.0.1/cb'] },
    );
    const configuration = await discover(latchkey, tv, 'own');
    const asked = await oidc.initiateDeviceAuthorization(configuration, { scope: 'openid email' });
    const agent: Agent = latchkey.agent();
    const page = await agent.submit(await agent.open(asked.verification_uri_complete!), {});
    const confirm = await agent.submit(page, { email: ADA, password: PASSWORD }, { ending: '/password' });
    await agent.submit(confirm, { decision: 'allow' }, { ending: '/device' });
    const tokens = await oidc.pollDeviceAuthorizationGrant(configuration, { ...asked, interval: 0 });
    const { sub } = tokens.claims()!;
    expect(sub).to.match(/^[A-Za-z0-9_-]{43}$/);
    expect((await userinfo(configuration, tokens.access_token)).body).to.include({ sub, email: ADA });
  });

  it('are told to operators, in both directions, and to no other app', async () => {
    const sub = await subAt(one);
    const lookUp = (path: string, appId = 'shop') => latchkey.admin('GET', `/apps/${appId}/${path}`);
    const whose = await lookUp(`clients/${one.clientId}/subjects/${sub}`);
    expect(whose.body).to.deep.equal({ client_id: one.clientId, sub, user_id: ada });
    const { body } = await lookUp(`users/${ada}/subjects?limit=200`);
    const names = new Map(body.items.map((item: any) => [item.client_id, item.sub]));
    expect([names.get('shop'), names.get(one.clientId), names.get(two.clientId)]).to.deep.equal([
      ada,
      sub,
      sub,
    ]);
    expect((await lookUp(`clients/shop/subjects/${ada}`)).body.user_id).to.equal(ada);
    for (const [path, code] of [
      [`clients/shop/subjects/${sub}`, 'users.not_found'],
      [`clients/${one.clientId}/subjects/${ada}`, 'users.not_found'],
      [`clients/bank/subjects/${sub}`, 'clients.not_found'],
    ] as const) {
      const refused = await lookUp(path);
      expect([refused.status, refused.body.code], path).to.deep.equal([404, code]);
    }
    expect((await lookUp(`clients/bank/subjects/${sub}`, 'bank')).status).to.equal(404);
    expect((await lookUp(`users/${ada}/subjects`, 'bank')).status).to.equal(404);
    // Also behind the first two thousand users.
    await makeApp(latchkey, 'crowd');
    await latchkey.sql(
      `insert into users (app_id, user_id) select 'crowd', 'usr_' || lpad(to_hex(i), 32, '0') from generate_series(1, 2100) i`,
    );
    const last = await makeUser(latchkey, 'crowd', ADA);
    const club = await addClient({}, {}, 'crowd');
    const found = await lookUp(`clients/${club.clientId}/subjects/${await subAt(club)}`, 'crowd');
    expect(found.body.user_id, JSON.stringify(found.body)).to.equal(last);
  });

  it('can not be chosen by a claim of the app', async () => {
    const custom = (name: string) => ({
      settings: { custom_claims: [{ name, from: 'metadata.sub', in: ['id_token', 'access_token'] }] },
    });
    const refused = await latchkey.admin('PATCH', '/apps/shop', custom('sub'));
    expect([refused.status, refused.body.field]).to.deep.equal([400, 'settings.custom_claims.0.name']);
    await latchkey.admin('PATCH', '/apps/shop', custom('https://shop.example/sub'));
    const { tokens } = await signedIn(latchkey, one, { email: ADA, kind: 'own' });
    const own = { 'https://shop.example/sub': 'custom' };
    expect(tokens.claims()).to.include({ ...own, sub: await subAt(two) });
    expect(decodeJwt(tokens.access_token)).to.include(own);
    await latchkey.admin('PATCH', '/apps/shop', { settings: { custom_claims: [] } });
  });

  it('change with the sector, and tokens that speak of the user before are worth nothing', async () => {
    const client = await addClient();
    const { configuration, tokens } = await signedIn(latchkey, client, { email: ADA, kind: 'own' });
    const change = (settings: object) =>
      latchkey.admin('PATCH', `/apps/shop/clients/${client.clientId}`, { settings });
    expect((await userinfo(configuration, tokens.access_token)).status).to.equal(200);
    const changed = await change({ sector_identifier_uri: publish('moved', [REDIRECT]) });
    expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
    expect((await userinfo(configuration, tokens.access_token)).status).to.equal(401);
    expect((await introspect(configuration, client, tokens.access_token)).body).to.deep.equal({
      active: false,
    });
    expect(await subAt(client)).to.not.equal(tokens.claims()!.sub);
    expect((await change({ subject_type: 'public' })).status).to.equal(200);
    expect(await subAt(client)).to.equal(ada);
    expect((await change({ subject_type: 'pairwise', sector_identifier_uri: null })).status).to.equal(200);
    expect(await subAt(client), 'and back').to.equal(tokens.claims()!.sub);
  });

  it('are refused where the sector is not clear, or its document does not say so', async () => {
    const native = { type: 'native', redirect_uris: ['com.example.app:/cb'] };
    const service = { type: 'service', redirect_uris: [], post_logout_redirect_uris: [] };
    const [type, uri] = ['settings.subject_type', 'settings.sector_identifier_uri'];
    const unclear: [string, object][] = [
      [type, { redirect_uris: [REDIRECT, FAR] }],
      [type, { redirect_uris: [] }],
      [type, service],
      [type, native],
      [type, { ...native, redirect_uris: ['http://127.0.0.1/cb'] }],
    ];
    for (const [field, body] of unclear) {
      const { status, body: problem } = await send('shop', { settings: PAIRWISE, ...body });
      expect([status, problem.code, problem.field], JSON.stringify(body)).to.deep.equal([
        400,
        'clients.sector_unfit',
        field,
      ]);
    }
    published.set('/gone', { status: 410, text: '[]' });
    const documents: [string, string][] = [
      ['clients.sector_unfit', 'not an address'],
      ['clients.sector_unfit', 'http://sector.example/list'],
      ['clients.sector_unfit', 'https://user@sector.example/list'],
      ['clients.sector_unfit', publish('other', [FAR, `${REDIRECT}/`])],
      ['clients.sector_unreadable', publish('object', { [REDIRECT]: true })],
      ['clients.sector_unreadable', publish('mixed', [REDIRECT, 1])],
      ['clients.sector_unreadable', publish('text', 'nothing')],
      ['clients.sector_unreadable', publish('large', [REDIRECT, 'x'.repeat(70_000)])],
      ['clients.sector_unreadable', `${siteUrl}/gone`],
      ['clients.sector_unreadable', `${siteUrl}/missing`],
      // The guard: a private address, the cloud's metadata, and this server itself are not asked.
      ['clients.sector_unreadable', 'https://10.0.0.1/list'],
      ['clients.sector_unreadable', 'https://169.254.169.254/latest'],
      ['clients.sector_unreadable', `${latchkey.baseUrl}/healthz`],
    ];
    for (const [code, address] of documents)
      for (const subject of ['public', 'pairwise']) {
        const settings = { subject_type: subject, sector_identifier_uri: address };
        const { status, body } = await send('shop', { settings });
        expect([status, body.code, body.field], address).to.deep.equal([400, code, uri]);
      }
    expect((await send('shop', { settings: { subject_type: 'secret' } })).status).to.equal(400);
  });

  it('keep every change of a client to its sector, also through the app itself', async () => {
    const sector = publish('kept', [REDIRECT]);
    const client = await addClient({ sector_identifier_uri: sector });
    const path = `/apps/shop/clients/${client.clientId}`;
    const read = await latchkey.admin('GET', path);
    expect(read.body.settings).to.include({ subject_type: 'pairwise', sector_identifier_uri: sector });
    const strays = await latchkey.admin('PATCH', path, { redirect_uris: [REDIRECT, FAR] });
    expect([strays.status, strays.body.code]).to.deep.equal([400, 'clients.sector_unfit']);
    const leaves = await latchkey.admin('PATCH', path, {
      redirect_uris: [REDIRECT, FAR],
      settings: { sector_identifier_uri: null },
    });
    expect([leaves.status, leaves.body.code]).to.deep.equal([400, 'clients.sector_unfit']);
    publish('kept', [REDIRECT, FAR]);
    expect((await latchkey.admin('PATCH', path, { redirect_uris: [REDIRECT, FAR] })).status).to.equal(200);
    // What does not touch the sector does not need its document.
    published.delete('/kept');
    expect((await latchkey.admin('PATCH', path, { name: 'Renamed' })).status).to.equal(200);

    await makeApp(latchkey, 'solo');
    const first = await latchkey.admin('PATCH', '/apps/solo/clients/solo', { settings: PAIRWISE });
    expect(first.status, JSON.stringify(first.body)).to.equal(200);
    const wide = await latchkey.admin('PATCH', '/apps/solo', { redirect_uris: [REDIRECT, FAR] });
    expect([wide.status, wide.body.code]).to.deep.equal([400, 'clients.sector_unfit']);
  });

  it('are had by clients that come by themselves, by the same rules', async () => {
    const endpoint = `${issuerOf(latchkey, 'shop', 'own')}/clients/register`;
    const register = (metadata: object, at: { url?: string; token?: string; method?: string } = {}) =>
      call(at.url ?? endpoint, {
        method: at.method ?? 'POST',
        headers: {
          'content-type': 'application/json',
          ...(at.token === undefined ? {} : { authorization: `Bearer ${at.token}` }),
        },
        body: JSON.stringify({ redirect_uris: [REDIRECT], ...metadata }),
      });
    const refused: object[] = [
      { redirect_uris: [REDIRECT, FAR] },
      { sector_identifier_uri: publish('theirs', [FAR]) },
      { sector_identifier_uri: 'https://10.0.0.1/list' },
      { subject_type: 'secret' },
    ];
    for (const metadata of refused) {
      const { status, body } = await register({ ...PAIRWISE, ...metadata });
      expect([status, body.error], JSON.stringify(metadata)).to.deep.equal([400, 'invalid_client_metadata']);
    }
    // Nobody has us ask around who may not register.
    const unasked = await register({ sector_identifier_uri: `${siteUrl}/none` }, { token: 'wrong' });
    expect([unasked.status, unasked.body.error]).to.deep.equal([401, 'invalid_token']);

    const sector = publish('ours', [REDIRECT]);
    const metadata = { ...PAIRWISE, sector_identifier_uri: sector };
    const made = await register(metadata);
    expect(made.status, made.text).to.equal(201);
    expect(made.body).to.include(metadata);
    const manage = { url: made.body.registration_client_uri, token: made.body.registration_access_token };
    const { client_id } = made.body;
    const kept = await register({ ...metadata, client_id }, { ...manage, method: 'PUT' });
    expect(kept.body, kept.text).to.include(metadata);
    const moved = await register(
      { ...metadata, client_id, redirect_uris: [FAR] },
      { ...manage, method: 'PUT' },
    );
    expect([moved.status, moved.body.error]).to.deep.equal([400, 'invalid_client_metadata']);
    const bare = await register({ client_id }, { ...manage, method: 'PUT' });
    expect(bare.body).to.include({ subject_type: 'public' }).and.not.have.property('sector_identifier_uri');

    /** The first visit of a client that is a document. */
    const visit = (name: string, more: object): Promise<{ status: number; text: string }> => {
      const clientId = `${siteUrl}/${name}`;
      publish(name, { client_id: clientId, redirect_uris: [REDIRECT], ...more });
      const query = new URLSearchParams({
        client_id: clientId,
        redirect_uri: REDIRECT,
        response_type: 'code',
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      });
      return call(`${issuerOf(latchkey, 'shop', 'own')}/authorize?${query.toString()}`);
    };
    const known = (name: string) =>
      latchkey.admin('GET', `/apps/shop/clients/${encodeURIComponent(`${siteUrl}/${name}`)}`);
    const stranger = await visit('bad', { ...PAIRWISE, sector_identifier_uri: `${siteUrl}/theirs` });
    expect([stranger.status, (await known('bad')).status]).to.deep.equal([400, 404]);
    const visitor = await visit('good', metadata);
    expect(visitor.status, visitor.text).to.equal(303);
    expect((await known('good')).body.settings).to.include(metadata);
  });
});
