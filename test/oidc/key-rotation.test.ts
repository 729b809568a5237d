import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import {
  createRemoteJWKSet,
  createLocalJWKSet,
  decodeProtectedHeader,
  jwtVerify,
  type JWTVerifyGetKey,
} from 'jose';
import * as oidc from 'openid-client';
import { freePort, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  redeem,
  SIGNED_OUT,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { call, introspect, post, refresh, tokenUrl, userinfo } from '../support/token-calls.ts';

const KINDS = ['own', 'shared'] as const;
type Kind = (typeof KINDS)[number];

// The cache time of public keys is scaled from 300 s to 1 s, and with it the 605 s for which a key is published before
// it signs to 7 s, and the 30 s that jose waits between two fetches to 1 s.
const JWKS_MAX_AGE = '1';
const JOSE_COOLDOWN_MS = 1000;

const ROTATIONS = { own: '/apps/shop/keys', shared: '/keys' };
const kidOf = (jwt: string): string => decodeProtectedHeader(jwt).kid!;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a resource server does: jose with its own rules, or a verifier that goes by Cache-Control alone. */
function keySource(url: string, patient: boolean): JWTVerifyGetKey {
  if (!patient) return createRemoteJWKSet(new URL(url), { cooldownDuration: JOSE_COOLDOWN_MS });
  let cached: { set: JWTVerifyGetKey; until: number } | undefined;
  return async (header, token) => {
    if (!cached || cached.until < Date.now()) {
      const response = await fetch(url);
      const seconds = Number(/max-age=(\d+)/.exec(response.headers.get('cache-control')!)![1]);
      cached = {
        set: createLocalJWKSet((await response.json()) as { keys: [] }),
        until: Date.now() + seconds * 1000,
      };
    }
    return cached.set(header, token);
  };
}

describe('rotating keys under load, with two instances over one database', function () {
  this.timeout(150_000);
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let instances: TestLatchkey[];
  let doors: string[];
  let client: TestClient;
  let tokens: Awaited<ReturnType<typeof signedIn>>[];

  before(async () => {
    database = await createDatabase();
    const env = { ENCRYPTION_KEYS: randomBytes(32).toString('base64'), JWKS_MAX_AGE };
    const one = await startTestLatchkey({ database, env });
    const port = await freePort();
    const two = await startTestLatchkey({
      database,
      env: { ...env, BASE_URL: one.baseUrl, PORT: String(port) },
    });
    instances = [one, two];
    doors = [one.baseUrl, `http://localhost:${port}`];
    client = await makeApp(one, 'shop', { settings: { refresh_grace: 0 } });
    await makeUser(one, 'shop', 'ada@example.com');
    tokens = await Promise.all(
      KINDS.map((kind) => signedIn(one, client, { email: 'ada@example.com', kind })),
    );
  });
  after(async () => {
    for (const instance of instances.toReversed()) await instance.stop();
    await dropDatabase(database);
  });

  const keyStates = async (kind: Kind) =>
    (await instances[0]!.admin('GET', ROTATIONS[kind])).body.items as { kid: string; status: string }[];

  it('#27 twenty workers verify tokens during three rotations, and none fails; the JWKS always holds both keys, each once, and nothing private', async () => {
    const issued: Record<Kind, { token: string; audience: string }[]> = { own: [], shared: [] };
    const failures: string[] = [];
    const stop = new AbortController();
    let verified = 0;
    const until = async (work: () => Promise<void>) => {
      while (!stop.signal.aborted)
        await work()
          .catch((error: unknown) => failures.push(String(error)))
          .then(() => pause(10));
    };

    // Access and ID tokens, of both issuers, from both instances in turn.
    const issuers = KINDS.map((kind, i) => {
      let refreshToken = tokens[i]!.tokens.refresh_token!;
      const path = kind === 'own' ? '/auth/shop/token' : '/token';
      return until(async () => {
        for (const door of doors) {
          const form = { grant_type: 'refresh_token', refresh_token: refreshToken };
          const answer = await post(door + path, client, form);
          if (answer.status !== 200) throw new Error(`token endpoint: ${answer.status} ${answer.text}`);
          refreshToken = answer.body.refresh_token;
          for (const token of [answer.body.access_token, answer.body.id_token])
            issued[kind].push({ token, audience: 'shop' });
        }
      });
    });
    const workers = Array.from({ length: 20 }, (_, i) => {
      const kind = KINDS[i % 2]!;
      const door = doors[(i >> 1) % 2]!;
      const jwks = kind === 'own' ? '/auth/shop/.well-known/jwks.json' : '/.well-known/jwks.json';
      const keys = keySource(door + jwks, i >= 10);
      const issuer = issuerOf(instances[0]!, 'shop', kind);
      return until(async () => {
        const all = issued[kind];
        if (all.length === 0) return;
        // The newest one, and one of all that were ever issued: all of them are still good.
        for (const one of [all.at(-1)!, all[verified % all.length]!]) {
          await jwtVerify(one.token, keys, { issuer, audience: one.audience });
          verified += 1;
        }
      });
    });
    const watcher = until(async () => {
      for (const kind of KINDS) {
        const path = kind === 'own' ? '/auth/shop/.well-known/jwks.json' : '/.well-known/jwks.json';
        const { body } = await call(doors[verified % 2]! + path);
        const kids = body.keys.map((key: { kid: string }) => key.kid);
        if (new Set(kids).size !== kids.length) throw new Error(`kids twice: ${kids}`);
        if (/"(d|p|q|dp|dq|qi|k|priv)":/.test(JSON.stringify(body))) throw new Error('private members');
        for (const { token } of issued[kind].slice(-40))
          if (!kids.includes(kidOf(token))) throw new Error(`${kidOf(token)} signed and is not published`);
      }
    });

    for (let round = 1; round <= 3; round += 1) {
      const next = {} as Record<Kind, string>;
      for (const kind of KINDS) {
        const { status, body } = await instances[0]!.admin('POST', `${ROTATIONS[kind]}/rotate`, {});
        expect([status, body.status]).to.deep.equal([201, 'next']);
        next[kind] = body.kid;
      }
      for (const kind of KINDS) {
        while (!issued[kind].some(({ token }) => kidOf(token) === next[kind])) await pause(100);
        expect((await keyStates(kind))[0]).to.include({ kid: next[kind], status: 'signing' });
      }
    }
    await pause(500);
    stop.abort();
    await Promise.all([...issuers, ...workers, watcher]);

    expect(failures).to.deep.equal([]);
    expect(verified).to.be.greaterThan(1000);
    for (const kind of KINDS) {
      expect(new Set(issued[kind].map(({ token }) => kidOf(token))).size, kind).to.equal(4);
      // Also our own endpoints, on both instances, take what each of the four keys signed.
      for (const kid of new Set(issued[kind].map(({ token }) => kidOf(token)))) {
        const { token } = issued[kind].find((one) => kidOf(one.token) === kid)!;
        for (const door of doors) {
          const path = kind === 'own' ? '/auth/shop/userinfo' : '/userinfo';
          const answer = await call(door + path, { headers: { authorization: `Bearer ${token}` } });
          expect(answer.status, `${kind} ${kid}`).to.equal(200);
        }
      }
    }
  });

  it('#27 a compromised key is out of the JWKS at once, what it signed counts nowhere, and another signs, on both instances', async () => {
    for (const [i, kind] of KINDS.entries()) {
      const { configuration, agent } = tokens[i]!;
      const request = await authorizationRequest(configuration);
      const page = await signInByPassword(agent, request, 'ada@example.com');
      const before = await redeem(configuration, request, page.url);
      const kid = kidOf(before.access_token);
      expect((await introspect(configuration, client, before.access_token)).body.active).to.equal(true);
      const { status } = await instances[0]!.admin('POST', `${ROTATIONS[kind]}/rotate`, { compromised: kid });
      expect(status).to.equal(201);
      // The other instance looks at most two seconds later.
      await pause(2200);
      for (const door of doors) {
        const at = kind === 'own' ? `${door}/auth/shop` : door;
        const { body } = await call(`${at}/.well-known/jwks.json`);
        expect(body.keys.map((key: { kid: string }) => key.kid)).to.not.include(kid);
        const bearer = { headers: { authorization: `Bearer ${before.access_token}` } };
        expect((await call(`${at}/userinfo`, bearer)).status).to.equal(401);
        const asked = await post(`${at}/introspect`, client, { token: before.access_token });
        expect(asked.body).to.deep.equal({ active: false });
        const hinted = await call(`${at}/logout?id_token_hint=${before.id_token}`, {
          headers: { accept: 'text/html' },
        });
        expect(hinted.status).to.equal(400);
      }
      // The grant is still good: the key was lost, not the tokens of people.
      const after = await refresh(configuration, client, before.refresh_token!);
      expect(after.status).to.equal(200);
      expect(kidOf(after.body.id_token)).to.not.equal(kid);
      expect((await userinfo(configuration, after.body.access_token)).status).to.equal(200);
    }
  });
});

describe('changing the signing algorithm', function () {
  this.timeout(120_000);
  let latchkey: TestLatchkey;
  let client: TestClient;
  before(async () => {
    latchkey = await startTestLatchkey();
    client = await makeApp(latchkey, 'shop');
    await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(() => latchkey.stop());

  /** As if the next key had been published long enough; an app's change tells every process. */
  const skipTheLead = async (kind: Kind, algorithm: string) => {
    await latchkey.sql(
      `update ${kind === 'own' ? 'signing_keys' : 'deployment_keys'} set active_at = now() where active_at > now()`,
    );
    await latchkey.sql('update apps set revision = revision + 1');
    for (;;) {
      const answer = await post(
        `${issuerOf(latchkey, 'shop', kind)}/token`,
        { ...client, ...service },
        { grant_type: 'client_credentials' },
      );
      if (decodeProtectedHeader(answer.body.access_token).alg === algorithm) return;
      await pause(50);
    }
  };
  let service: { clientId: string; secret: string };
  before(async () => {
    const made = await latchkey.admin('POST', '/apps/shop/clients', { name: 'job', type: 'service' });
    service = { clientId: made.body.client_id, secret: made.body.client_secret };
  });

  for (const kind of KINDS) {
    it(`publishes, then uses each algorithm at the ${kind} issuer, and takes tokens and hints of the one before`, async () => {
      let before = await signedIn(latchkey, client, { email: 'ada@example.com', kind });
      for (const algorithm of ['PS256', 'ES256', 'EdDSA', 'RS256']) {
        const changed =
          kind === 'own'
            ? await latchkey.admin('PATCH', '/apps/shop', { settings: { signing_algorithm: algorithm } })
            : await latchkey.admin('POST', '/keys/rotate', { algorithm });
        expect(changed.status, JSON.stringify(changed.body)).to.be.oneOf([200, 201]);
        await pause(kind === 'own' ? 0 : 2100);
        const during = await signedIn(latchkey, client, { email: 'ada@example.com', kind });
        const old = decodeProtectedHeader(before.tokens.id_token!).alg!;
        expect(decodeProtectedHeader(during.tokens.id_token!).alg).to.equal(old);
        const announced = (await discover(latchkey, client, kind)).serverMetadata();
        expect(announced['id_token_signing_alg_values_supported']).to.include.members([old, algorithm]);
        await skipTheLead(kind, algorithm);

        // A client with its documented configuration, checking signatures too.
        const configuration = await discover(latchkey, client, kind);
        oidc.enableNonRepudiationChecks(configuration);
        const agent = latchkey.agent();
        const request = await authorizationRequest(configuration);
        const page = await signInByPassword(agent, request, 'ada@example.com');
        const tokens = await redeem(configuration, request, page.url);
        expect(decodeProtectedHeader(tokens.id_token!)).to.include({ alg: algorithm });
        const jwks = createRemoteJWKSet(new URL(configuration.serverMetadata().jwks_uri!));
        const issuer = issuerOf(latchkey, 'shop', kind);
        for (const token of [tokens.access_token, before.tokens.access_token])
          await jwtVerify(token, jwks, {
            issuer,
            audience: 'shop',
            typ: 'at+jwt',
            algorithms: [old, algorithm],
          });
        for (const token of [tokens.access_token, before.tokens.access_token]) {
          expect((await userinfo(configuration, token)).status).to.equal(200);
          expect((await introspect(configuration, client, token)).body.active).to.equal(true);
        }
        const answer = await refresh(configuration, client, before.tokens.refresh_token!);
        expect(decodeProtectedHeader(answer.body.id_token).alg).to.equal(algorithm);

        // Signed out with an ID token of the algorithm before, as a client that kept it would.
        const ended = oidc.buildEndSessionUrl(before.configuration, {
          id_token_hint: before.tokens.id_token!,
          post_logout_redirect_uri: SIGNED_OUT,
        });
        const asked = await before.agent.open(ended.href);
        expect(asked.status, asked.html.slice(0, 500)).to.equal(200);
        before = { agent, configuration, request, callback: page.url, tokens };
      }
    });
  }

  it('takes an ID token as a hint long after its key left the JWKS, but never an access token', async () => {
    const { agent, tokens, configuration } = await signedIn(latchkey, client, {
      email: 'ada@example.com',
      kind: 'own',
    });
    await latchkey.admin('POST', '/apps/shop/keys/rotate', {});
    await latchkey.sql(
      `update signing_keys set active_at = now() - interval '30 days', retires_at = now() - interval '29 days' where retires_at is not null`,
    );
    await latchkey.sql(
      "update signing_keys set active_at = now() - interval '30 days' where active_at > now()",
    );
    await latchkey.sql('update apps set revision = revision + 1');
    await pause(2200);
    const { body } = await call(configuration.serverMetadata().jwks_uri!);
    expect(body.keys).to.have.length(1);
    expect(body.keys[0].kid).to.not.equal(kidOf(tokens.id_token!));
    expect(
      (await userinfo(configuration, tokens.access_token)).status,
      'its access tokens are dead',
    ).to.equal(401);
    const url = (hint: string) =>
      oidc.buildEndSessionUrl(configuration, { id_token_hint: hint, post_logout_redirect_uri: SIGNED_OUT })
        .href;
    expect((await agent.open(url(tokens.access_token))).status).to.equal(400);
    expect((await agent.open(url(tokens.id_token!))).status).to.equal(200);
    expect(
      (await post(tokenUrl(configuration), { ...client, ...service }, { grant_type: 'client_credentials' }))
        .status,
    ).to.equal(200);
  });
});
