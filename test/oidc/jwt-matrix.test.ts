import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type RootKeys, unseal } from '../../src/kernel/secret.ts';
import type { Agent } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { withAssertion } from '../support/assertions.ts';
import { type LogoutReceiver, startLogoutReceiver } from '../support/logout-receiver.ts';
import { issuerOf, makeApp, makeUser, REDIRECT, signedIn, type TestClient } from '../support/sign-in.ts';
import { signOut } from '../support/sign-out.ts';
import { type Answer, basic, call, post } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const kinds = ['own', 'shared'] as const;
type Kind = (typeof kinds)[number];
const now = (): number => Math.floor(Date.now() / 1000);
const base64url = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** What may take a JWT, and one that it takes. */
type Door = {
  name: string;
  header: Record<string, unknown>;
  claims(): Record<string, unknown>;
  key: KeyObject;
  /** Whether it was believed; throws when the answer is a fault. */
  believes(jwt: string): Promise<boolean>;
  /** Cases that mean nothing there, or are allowed by its standard. */
  except: string[];
};

/** By hand: no library would write most of these. */
function craft(header: object, claims: object | string, signer: (data: string) => Buffer): string {
  const data = `${base64url(header)}.${base64url(claims)}`;
  return `${data}.${signer(data).toString('base64url')}`;
}
const byKey =
  (key: KeyObject) =>
  (data: string): Buffer =>
    sign('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' });
const bySecret =
  (secret: string) =>
  (data: string): Buffer =>
    createHmac('sha256', secret).update(data).digest();

const strangers = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

/** Forgeries that need no key of the signer's. */
function forgeries({ header, claims, key }: Door): [string, string][] {
  const publicKey = createPublicKey(key);
  const jwk = publicKey.export({ format: 'jwk' });
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const stranger = strangers[header['alg'] as keyof typeof strangers];
  const named = { ...stranger.publicKey.export({ format: 'jwk' }), kid: header['kid'] };
  const byStranger = (more: object) => craft({ ...header, ...more }, claims(), byKey(stranger.privateKey));
  const unsigned = (alg: string) => craft({ ...header, alg }, claims(), () => Buffer.alloc(0));
  const hmac = (secret: string, more: object = {}) =>
    craft({ ...header, alg: 'HS256', ...more }, claims(), bySecret(secret));
  return [
    ...['none', 'None', 'NONE', '', 'HS256'].map((alg): [string, string] => [
      `alg "${alg}", unsigned`,
      unsigned(alg),
    ]),
    [
      'a signature of zeros',
      craft(header, claims(), () => Buffer.alloc(header['alg'] === 'ES256' ? 64 : 256)),
    ],
    ['no signature', craft(header, claims(), () => Buffer.alloc(0))],
    ['HS256 by the public key (PEM)', hmac(pem)],
    ['HS256 by the public key (PEM without its last line end)', hmac(pem.trimEnd())],
    ['HS256 by the public key (JWK)', hmac(JSON.stringify(jwk))],
    ['HS256 by nothing, kid ../../dev/null', hmac('', { kid: '../../../../../../dev/null' })],
    ['HS256 by a guess, kid SQL', hmac('1', { kid: "x' union select '1" })],
    ['another key, kid ../../dev/null', byStranger({ kid: '../../dev/null' })],
    ['another key, kid SQL', byStranger({ kid: "'; drop table signing_keys; --" })],
    ['another key, kid that is no text', byStranger({ kid: { $ne: null } })],
    ['another key, no kid', byStranger({ kid: undefined })],
    ['another key, jwk', byStranger({ jwk: named })],
    ['another key, jku', byStranger({ jku: 'https://evil.example/jwks.json' })],
    ['another key, x5u', byStranger({ x5u: 'https://evil.example/cert.pem' })],
    ['another key, x5c', byStranger({ x5c: ['MIIBdzCCAR2gAwIBAgIUJo'] })],
    ['an encrypted bomb', bomb()],
    ['five parts', `${craft(header, claims(), byKey(stranger.privateKey))}.x.y`],
    ['three dots', '..'],
  ];
}

/** What the signer itself would have to be refused for. */
function misuses({ header, claims, key }: Door): [string, string][] {
  const signed = (more: object, changed: object = {}) =>
    craft({ ...header, ...changed }, { ...claims(), ...more }, byKey(key));
  const whole = claims();
  const data = `${base64url({ ...header, b64: false, crit: ['b64'] })}.${base64url(whole)}`;
  const inner = craft(header, whole, byKey(key));
  return [
    ['unknown crit', signed({}, { crit: ['x-unknown'], 'x-unknown': 1 })],
    ['empty crit', signed({}, { crit: [] })],
    ['an unencoded payload', `${data}.${byKey(key)(data).toString('base64url')}`],
    ['a JWT in a JWT', craft({ ...header, cty: 'JWT' }, inner, byKey(key))],
    ['a payload that is no object', craft(header, '[1]', byKey(key))],
    ['no exp', signed({ exp: undefined })],
    ['exp as text', signed({ exp: '99999999999' })],
    ['expired', signed({ exp: now() - 120, iat: now() - 240 })],
    ['nbf two minutes ahead', signed({ nbf: now() + 120 })],
    ['nbf as text', signed({ nbf: 'now' })],
    ['aud of another', signed({ aud: 'https://evil.example' })],
    ['aud with another', signed({ aud: [whole['aud'], 'https://evil.example'] })],
    ['no aud', signed({ aud: undefined })],
    ['iss of another', signed({ iss: 'https://evil.example' })],
    ['no iss', signed({ iss: undefined })],
    ['type of a session', signed({}, { typ: 'session+jwt' })],
    ['type of a logout token', signed({}, { typ: 'logout+jwt' })],
    ['half a megabyte', signed({ pad: 'x'.repeat(500_000) })],
  ];
}

/** Small on the way and large once it is opened. */
const packed = deflateRawSync(Buffer.alloc(4_000_000, 'A'));
function bomb(): string {
  const header = { alg: 'dir', enc: 'A128CBC-HS256', zip: 'DEF', cty: 'JWT' };
  return [
    base64url(header),
    '',
    base64url('x'.repeat(16)),
    packed.toString('base64url'),
    base64url('x'.repeat(16)),
  ].join('.');
}

describe('JWTs of every kind at every door that takes one', function () {
  this.timeout(120_000);
  const root = randomBytes(32);
  let latchkey: TestLatchkey;
  let receiver: LogoutReceiver;
  let shop: TestClient;
  let gateway: TestClient;
  let robot: TestClient;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  before(async () => {
    receiver = await startLogoutReceiver();
    latchkey = await startTestLatchkey({
      env: { ENCRYPTION_KEYS: root.toString('base64url'), OUTBOUND_ALLOWED_HOSTS: receiver.host },
    });
    shop = await makeApp(latchkey, 'shop', {
      settings: { features: { request_objects: true, token_exchange: true } },
    });
    await makeUser(latchkey, 'shop', EMAIL);
    const jwks = {
      keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }],
    };
    const changed = await latchkey.admin('PATCH', '/apps/shop/clients/shop', {
      settings: { jwks, backchannel_logout_uri: receiver.uri(), backchannel_logout_session_required: true },
    });
    expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
    const add = async (settings: object): Promise<TestClient> => {
      const body = { name: 'Machine', type: 'service', settings };
      const made = await latchkey.admin('POST', '/apps/shop/clients', body);
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    };
    robot = await add({ token_endpoint_auth_method: 'private_key_jwt', jwks });
    gateway = await add({
      token_exchange: { delegate: true, audiences: ['shop', 'https://orders.example'] },
    });
    const api = { identifier: 'https://orders.example', name: 'Orders', server_clients: [gateway.clientId] };
    expect((await latchkey.admin('POST', '/apps/shop/apis', api)).status).to.equal(201);
  });
  after(async () => {
    await latchkey.stop();
    await receiver.stop();
  });

  /** The key that signs at an issuer, as only the server has it. */
  async function serversKey(kind: Kind, kid: string): Promise<KeyObject> {
    const table = kind === 'own' ? 'signing_keys' : 'deployment_keys';
    const [row] = await latchkey.sql(
      `select private_jwk from ${table} where public_jwk ->> 'kid' = $1 or key_id = $1`,
      [kid],
    );
    const at = { appId: kind === 'own' ? 'shop' : '', table, row: kid, column: 'private_jwk' };
    const jwk = JSON.parse(unseal([root] as unknown as RootKeys, at, row!['private_jwk']));
    return createPrivateKey({ key: jwk, format: 'jwk' });
  }
  const noFault = (answer: Answer): Answer => {
    expect(answer.status, answer.text.slice(0, 500)).to.be.below(500);
    return answer;
  };
  const sent = async (url: string, init: RequestInit = {}): Promise<Answer> => noFault(await call(url, init));

  const clientDoors = (kind: Kind): Door[] => {
    const issuer = issuerOf(latchkey, 'shop', kind);
    const lived = () => ({ aud: issuer, iat: now(), exp: now() + 60, jti: randomUUID() });
    return [
      {
        name: 'a client assertion',
        key: rsa.privateKey,
        header: { alg: 'RS256', kid: 'k1' },
        claims: () => ({ ...lived(), iss: robot.clientId, sub: robot.clientId }),
        believes: async (jwt) =>
          (
            await sent(`${issuer}/token`, {
              method: 'POST',
              body: withAssertion(jwt, { client_id: robot.clientId }),
            })
          ).status === 200,
        except: [],
      },
      {
        name: 'a request object',
        key: rsa.privateKey,
        header: { alg: 'RS256', kid: 'k1' },
        claims: () => ({
          ...lived(),
          iss: 'shop',
          client_id: 'shop',
          response_type: 'code',
          redirect_uri: REDIRECT,
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
        }),
        believes: async (request) => {
          const query = new URLSearchParams({ client_id: 'shop', request });
          const { headers } = await sent(`${issuer}/authorize?${query}`);
          return headers.get('location')?.includes('/interaction/') ?? false;
        },
        // FAPI 2.0 Message Signing §5.3.1: the issuer, or a list with it.
        except: ['aud with another'],
      },
      {
        name: 'a DPoP proof',
        key: ec.privateKey,
        header: { alg: 'ES256', typ: 'dpop+jwt', jwk: ec.publicKey.export({ format: 'jwk' }) },
        claims: () => ({ htm: 'POST', htu: `${issuer}/token`, iat: now(), jti: randomUUID() }),
        believes: async (dpop) => {
          const body = new URLSearchParams({ grant_type: 'client_credentials' });
          const headers = { ...basic(gateway), dpop };
          return (await sent(`${issuer}/token`, { method: 'POST', headers, body })).status === 200;
        },
        // It has none of these, and it is its own key that it brings.
        except: [
          'another key, jwk',
          'no exp',
          'exp as text',
          'aud of another',
          'aud with another',
          'no aud',
          'iss of another',
          'no iss',
        ],
      },
    ];
  };

  async function serverDoors(kind: Kind): Promise<Door[]> {
    const issuer = issuerOf(latchkey, 'shop', kind);
    const { agent, tokens } = await signedIn(latchkey, shop, { email: EMAIL, kind });
    const forApi = await signedIn(latchkey, shop, {
      email: EMAIL,
      kind,
      agent,
      parameters: { resource: 'https://orders.example', scope: 'openid' },
    });
    const like = async (token: string): Promise<Pick<Door, 'key' | 'header' | 'claims'>> => {
      const header = { ...decodeProtectedHeader(token) };
      const { nbf: _nbf, ...claims } = decodeJwt(token);
      return {
        key: await serversKey(kind, header.kid!),
        header,
        claims: () => ({ ...claims, exp: now() + 60, iat: now() }),
      };
    };
    const access = await like(tokens.access_token);
    return [
      {
        ...access,
        name: 'a bearer token at userinfo',
        believes: async (jwt) => {
          const headers = { authorization: `Bearer ${jwt}` };
          return (await sent(`${issuer}/userinfo`, { headers })).status === 200;
        },
        except: [],
      },
      {
        ...access,
        name: 'a token at introspection',
        believes: async (token) =>
          noFault(await post(`${issuer}/introspect`, shop, { token })).body?.active === true,
        except: [],
      },
      {
        ...(await like(forApi.tokens.access_token)),
        name: 'a subject token',
        believes: async (token) =>
          noFault(
            await post(`${issuer}/token`, gateway, {
              grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
              subject_token: token,
              subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
              audience: 'shop',
            }),
          ).status === 200,
        except: [],
      },
      {
        ...(await like(tokens.id_token!)),
        name: 'a hint at authorization',
        believes: (hint) => silently(agent, issuer, hint),
        // OpenID Connect RP-Initiated Logout 1.0 §4, and Core §3.1.2.1 for the other: also one that has expired.
        except: ['expired'],
      },
      {
        ...(await like(tokens.id_token!)),
        name: 'a hint at sign-out',
        believes: async (hint) => {
          const response = await agent.send(
            `${issuer}/logout?${new URLSearchParams({ id_token_hint: hint, client_id: 'shop' })}`,
          );
          expect(response.status).to.be.below(500);
          return response.status === 200;
        },
        except: ['expired'],
      },
    ];
  }

  async function silently(agent: Agent, issuer: string, hint: string): Promise<boolean> {
    const query = new URLSearchParams({
      client_id: 'shop',
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      prompt: 'none',
      id_token_hint: hint,
    });
    const { status, url } = await agent.open(`${issuer}/authorize?${query}`);
    expect(status).to.be.below(500);
    return url.startsWith(REDIRECT) && new URL(url).searchParams.has('code');
  }

  for (const kind of kinds)
    it(`#26 at the ${kind} issuer are believed as they should be, and in no forged, odd or monstrous form`, async () => {
      const believed: string[] = [];
      for (const door of [...clientDoors(kind), ...(await serverDoors(kind))]) {
        const good = () => craft(door.header, door.claims(), byKey(door.key));
        expect(await door.believes(good()), `${door.name}: the good one`).to.equal(true);
        for (const [what, jwt] of [...forgeries(door), ...misuses(door)])
          if (!door.except.includes(what) && (await door.believes(jwt)))
            believed.push(`${door.name}: ${what}`);
        expect(await door.believes(good()), `${door.name}: the good one, afterwards`).to.equal(true);
      }
      expect(believed).to.deep.equal([]);
    });

  for (const kind of kinds)
    it(`#25 each kind of token of the ${kind} issuer opens its own door and no other`, async () => {
      const issuer = issuerOf(latchkey, 'shop', kind);
      const other = issuerOf(latchkey, 'shop', kind === 'own' ? 'shared' : 'own');
      const leaving = await signedIn(latchkey, shop, { email: EMAIL, kind });
      receiver.received.length = 0;
      await signOut(latchkey, leaving.agent, 'shop');
      const [told] = await receiver.wait(1);
      const { agent, tokens } = await signedIn(latchkey, shop, { email: EMAIL, kind });
      const presented = {
        access: tokens.access_token,
        id: tokens.id_token!,
        logout: told!.token,
        refresh: tokens.refresh_token!,
      };
      const at = (base: string): Record<string, (token: string) => Promise<boolean>> => ({
        userinfo: async (token) =>
          (await sent(`${base}/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status === 200,
        introspection: async (token) =>
          (await post(`${base}/introspect`, shop, { token })).body.active === true,
        hint: (token) => silently(agent, base, token),
        assertion: async (token) =>
          (
            await sent(`${base}/token`, {
              method: 'POST',
              body: withAssertion(token, { client_id: robot.clientId }),
            })
          ).status === 200,
        refresh: async (token) =>
          (await post(`${base}/token`, shop, { grant_type: 'refresh_token', refresh_token: token }))
            .status === 200,
      });
      const opened = async (base: string): Promise<string[]> => {
        const pairs: string[] = [];
        for (const [token, value] of Object.entries(presented))
          for (const [door, opens] of Object.entries(at(base)))
            if (await opens(value)) pairs.push(`${token} at ${door}`);
        return pairs;
      };
      expect(await opened(other), 'at the other issuer').to.deep.equal([]);
      expect(await opened(issuer)).to.have.members([
        'access at userinfo',
        'access at introspection',
        'id at hint',
        'refresh at introspection',
        'refresh at refresh',
      ]);
    });
});
