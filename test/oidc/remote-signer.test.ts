import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { unseal } from '../../src/kernel/secret.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { redeemCode, userinfo } from '../support/token-calls.ts';

const TOKEN = 'signer-token-0123456789';
type Mood = 'well' | 'refusing' | 'hanging' | 'lying';

/** Stands in front of a KMS: private halves never leave it. */
class FakeSigner {
  readonly #keys = new Map<string, KeyObject>();
  readonly #server: Server;
  mood: Mood = 'well';
  asked: string[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      let text = '';
      request.on('data', (data) => {
        text += String(data);
      });
      request.on('end', () => {
        this.asked.push(`${request.method} ${request.url}`);
        if (this.mood === 'hanging') return;
        const allowed = request.headers.authorization === `Bearer ${TOKEN}`;
        const answer = allowed && this.mood !== 'refusing' && this.#answer(request.url!, JSON.parse(text));
        response.statusCode = answer ? 200 : 403;
        response.end(JSON.stringify(answer || {}));
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(
    path: string,
    body: { algorithm: string; handle?: { name: string }; data?: string },
  ): object | false {
    if (path === '/keys') {
      const { privateKey, publicKey } =
        body.algorithm === 'ES256'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('rsa', { modulusLength: 2048 });
      const name = `kms/${this.#keys.size}`;
      this.#keys.set(name, privateKey);
      // One that says too much: what is private must not be kept or published.
      return {
        handle: { name },
        public_jwk: { ...publicKey.export({ format: 'jwk' }), label: 'production' },
      };
    }
    const key = this.#keys.get(body.handle!.name)!;
    const data = Buffer.from(this.mood === 'lying' ? 'something else' : body.data!, 'base64url');
    const signature =
      body.algorithm === 'ES256'
        ? sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })
        : sign('sha256', data, { key, padding: constants.RSA_PKCS1_PADDING });
    return { signature: signature.toString('base64url') };
  }
}

describe('signing keys that live in a signer of their own', function () {
  this.timeout(180_000);
  const rootKey = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 11) % 256));
  let signer: FakeSigner;
  let latchkey: TestLatchkey;
  let client: TestClient;

  before(async () => {
    signer = new FakeSigner();
    const env = { SIGNER_URL: await signer.start(), SIGNER_TOKEN: TOKEN };
    latchkey = await startTestLatchkey({ env: { ...env, ENCRYPTION_KEYS: rootKey.toString('base64') } });
    client = await makeApp(latchkey, 'shop', { settings: { signing_algorithm: 'ES256' } });
    await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(async () => {
    await latchkey.stop();
    await signer.stop();
  });
  beforeEach(() => {
    signer.mood = 'well';
  });

  it('sign everything at both issuers, and no private half is in the database or in the JWKS', async () => {
    for (const kind of ['own', 'shared'] as const) {
      const { tokens, configuration } = await signedIn(latchkey, client, { email: 'ada@example.com', kind });
      const jwks = createRemoteJWKSet(new URL(configuration.serverMetadata().jwks_uri!));
      const issuer = issuerOf(latchkey, 'shop', kind);
      for (const token of [tokens.access_token, tokens.id_token!])
        expect((await jwtVerify(token, jwks, { issuer })).protectedHeader.alg).to.equal(
          kind === 'own' ? 'ES256' : 'RS256',
        );
      const text = await (await fetch(configuration.serverMetadata().jwks_uri!)).text();
      // With its quotation mark: three letters alone are now and then in a key.
      expect(text).to.not.match(/"(d|p|q|label)":|"kms/);
    }
    expect(signer.asked.filter((one) => one === 'POST /sign')).to.have.length(4);
    const rows = await latchkey.sql('select app_id, key_id, private_jwk from signing_keys');
    for (const row of rows) {
      const at = { appId: row['app_id'], table: 'signing_keys', row: row['key_id'], column: 'private_jwk' };
      const handle = unseal([rootKey], at, row['private_jwk']);
      expect(JSON.parse(handle)).to.have.all.keys('remote');
      expect(handle).to.not.match(/"d":/);
    }
  });

  for (const mood of ['refusing', 'hanging', 'lying'] as const) {
    it(`give nothing while the signer is ${mood}: 503 in bounded time, and the code is still good afterwards`, async () => {
      const before = await signedIn(latchkey, client, { email: 'ada@example.com', kind: 'own' });
      const configuration = await discover(latchkey, client, 'own');
      const request = await authorizationRequest(configuration);
      const page = await signInByPassword(latchkey.agent(), request, 'ada@example.com');
      const at = { callback: page.url, verifier: request.verifier };
      signer.mood = mood;
      const refused = await redeemCode(configuration, client, at);
      expect(refused.status).to.equal(503);
      expect(refused.headers.get('retry-after')).to.equal('2');
      expect(refused.body).to.include({ error: 'temporarily_unavailable' });
      expect(refused.text).to.not.match(/access_token|id_token|127\.0\.0\.1/);
      expect((await userinfo(configuration, before.tokens.access_token)).status, 'verifying').to.equal(200);
      const created = await latchkey.admin('POST', '/apps', {
        app_id: `new-${mood}`,
        name: 'New',
        type: 'web',
      });
      expect(created.status, 'no key, no app').to.equal(mood === 'lying' ? 201 : 503);
      signer.mood = 'well';
      expect((await redeemCode(configuration, client, at)).status).to.equal(200);
    });
  }
});
