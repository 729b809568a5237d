import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { UnsecuredJWT } from 'jose';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  type AssertionParts,
  makeAssertion,
  makePair,
  type SigningPair,
  withAssertion,
} from '../support/assertions.ts';
import { createDatabase, dropDatabase } from '../support/servers.ts';
import { issuerOf, makeApp } from '../support/sign-in.ts';
import { type Answer, atOnce, call } from '../support/token-calls.ts';

const CROWD = 16;
const now = (): number => Math.floor(Date.now() / 1000);

for (const driver of drivers) {
  describe(`client assertions, on ${driver}`, () => {
    let one: TestLatchkey;
    let two: TestLatchkey;
    let database: { host: string; database: string };
    let es: SigningPair;
    let rsa: SigningPair;
    /** A service account with private_key_jwt, and one that takes ES256 alone. */
    let robot: string;
    let picky: string;
    let hmac: { clientId: string; secret: string };

    const makeService = async (settings: Record<string, unknown>): Promise<any> => {
      const made = await one.admin('POST', '/apps/shop/clients', {
        name: 'Robot',
        type: 'service',
        settings,
      });
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return made.body;
    };

    before(async () => {
      database = await createDatabase();
      const env = { ENCRYPTION_KEYS: randomBytes(32).toString('base64url') };
      one = await startTestLatchkey({ driver, database, env });
      // Another process of the same deployment.
      two = await startTestLatchkey({ driver, database, env: { ...env, BASE_URL: one.baseUrl } });
      await makeApp(one, 'shop');
      [es, rsa] = await Promise.all([makePair('ES256'), makePair('RS256', 'r1')]);
      const jwks = { keys: [es.publicJwk, rsa.publicJwk] };
      const method = { token_endpoint_auth_method: 'private_key_jwt' };
      robot = (await makeService({ ...method, jwks })).client_id;
      picky = (await makeService({ ...method, jwks, token_endpoint_auth_signing_alg: 'ES256' })).client_id;
      const signing = await makeService({ token_endpoint_auth_method: 'client_secret_jwt' });
      hmac = { clientId: signing.client_id, secret: signing.client_secret };
    });
    after(async () => {
      await Promise.all([one.stop(), two.stop()]);
      await dropDatabase(database);
    });

    const send = (body: URLSearchParams, at: string = one.baseUrl): Promise<Answer> =>
      call(`${at}/token`, { method: 'POST', body });
    const assertion = (more: Partial<AssertionParts> = {}): Promise<string> =>
      makeAssertion({ clientId: robot, audience: one.baseUrl, key: es.privateKey, ...more });
    const expectRefused = (answer: Answer): void => {
      expect([answer.status, answer.body.error], answer.text).to.deep.equal([401, 'invalid_client']);
      expect(answer.body.error_description).to.equal('client authentication failed');
    };
    const expectAccepted = (answer: Answer): void =>
      expect(answer.status, answer.text).to.equal(200) as unknown as void;

    it('#19 at the shared issuer finds the app by its subject, without a client_id', async () => {
      const answer = await send(withAssertion(await assertion()));
      expectAccepted(answer);
      expect(answer.body.token_type).to.equal('Bearer');
    });

    it("#19 works at the app's own issuer with that issuer as its audience", async () => {
      const own = issuerOf(one, 'shop', 'own');
      expectAccepted(
        await call(`${own}/token`, {
          method: 'POST',
          body: withAssertion(await assertion({ audience: own })),
        }),
      );
    });

    it('#19 takes RS256 from a client that has not chosen, and not from one that chose ES256', async () => {
      const signed = { key: rsa.privateKey, alg: 'RS256', header: { kid: 'r1' } };
      expectAccepted(await send(withAssertion(await assertion(signed))));
      expectRefused(await send(withAssertion(await assertion({ ...signed, clientId: picky }))));
      expectAccepted(await send(withAssertion(await assertion({ clientId: picky }))));
    });

    it('#19 signed by nobody, or by the public key taken for a secret, is refused', async () => {
      const claims = { iss: robot, sub: robot, aud: one.baseUrl, jti: 'x', exp: now() + 60 };
      expectRefused(await send(withAssertion(new UnsecuredJWT(claims).encode())));
      const publicKey = Buffer.from(JSON.stringify(es.publicJwk));
      expectRefused(await send(withAssertion(await assertion({ key: publicKey, alg: 'HS256' }))));
      const stranger = await makePair('ES256');
      expectRefused(await send(withAssertion(await assertion({ key: stranger.privateKey }))));
      const embedded = { header: { jwk: stranger.publicJwk, kid: undefined }, key: stranger.privateKey };
      expectRefused(await send(withAssertion(await assertion(embedded))));
    });

    it('#19 with any audience but the issuer as a string is refused', async () => {
      const audiences: unknown[] = [
        undefined,
        'https://other.example',
        `${one.baseUrl}/`,
        `${one.baseUrl}/token`,
        issuerOf(one, 'shop', 'own'),
        [one.baseUrl],
        [one.baseUrl, 'https://other.example'],
      ];
      for (const audience of audiences)
        expectRefused(await send(withAssertion(await assertion({ audience }))));
    });

    it('#19 without exp, jti, iss or of another type is refused', async () => {
      for (const name of ['exp', 'jti', 'iss'])
        expectRefused(await send(withAssertion(await assertion({ claims: { [name]: undefined } }))));
      expectRefused(await send(withAssertion(await assertion({ claims: { iss: 'shop' } }))));
      for (const typ of ['at+jwt', 'dpop+jwt', 'logout+jwt'])
        expectRefused(await send(withAssertion(await assertion({ header: { typ } }))));
      for (const typ of ['JWT', 'client-authentication+jwt'])
        expectAccepted(await send(withAssertion(await assertion({ header: { typ } }))));
    });

    it('#19 that would live longer than five minutes is refused', async () => {
      expectAccepted(await send(withAssertion(await assertion({ claims: { exp: now() + 295 } }))));
      expectRefused(await send(withAssertion(await assertion({ claims: { exp: now() + 360 } }))));
    });

    it('#19 works once, also at the other instance', async () => {
      const used = withAssertion(await assertion());
      expectAccepted(await send(used));
      expectRefused(await send(used));
      expectRefused(await send(used, two.baseUrl));
      const elsewhere = withAssertion(await assertion());
      expectAccepted(await send(elsewhere, two.baseUrl));
      expectRefused(await send(elsewhere));
    });

    it(`#19 sent ${CROWD} times at once to two instances works once, and its token works afterwards`, async () => {
      const body = withAssertion(await assertion());
      let turn = 0;
      const answers = await atOnce(CROWD, () => send(body, (turn += 1) % 2 ? one.baseUrl : two.baseUrl));
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const lost of answers.filter((answer) => answer !== won[0])) expectRefused(lost);
      const introspected = await call(`${one.baseUrl}/introspect`, {
        method: 'POST',
        body: withAssertion(await assertion(), { token: won[0]!.body.access_token }),
      });
      expect(introspected.body).to.include({ active: true, client_id: robot });
    });

    it('#19 is spent also by a request that fails for another reason', async () => {
      const used = await assertion();
      const refused = await send(withAssertion(used, { scope: 'not-allowed' }));
      expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_scope']);
      expectRefused(await send(withAssertion(used)));
    });

    it('#33 a clock a few seconds ahead is forgiven, one a minute ahead or behind is not', async () => {
      for (const claims of [{ nbf: now() + 8 }, { iat: now() + 8 }, { exp: now() - 5 }])
        expectAccepted(await send(withAssertion(await assertion({ claims }))));
      for (const claims of [{ nbf: now() + 60 }, { iat: now() + 60 }, { exp: now() - 60 }])
        expectRefused(await send(withAssertion(await assertion({ claims }))));
    });

    it('client_secret_jwt signs with the one secret it was given, and with no other algorithm', async () => {
      const key = Buffer.from(hmac.secret);
      const signed = (more: Partial<AssertionParts> = {}) =>
        assertion({ clientId: hmac.clientId, key, alg: 'HS256', header: { kid: undefined }, ...more });
      expectAccepted(await send(withAssertion(await signed())));
      expectRefused(await send(withAssertion(await signed({ key: randomBytes(32) }))));
      expectRefused(
        await send(withAssertion(await signed({ alg: 'HS512', key: Buffer.concat([key, key]) }))),
      );
      const [row] = await one.sql('select sealed, digest from client_secrets where client_id = $1', [
        hmac.clientId,
      ]);
      expect(row!['sealed']).to.match(/^v1\./).and.not.include(hmac.secret);
      const sent = await call(`${one.baseUrl}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: hmac.clientId,
          client_secret: hmac.secret,
        }),
      });
      expectRefused(sent);
    });

    it('client_secret_jwt: rotating ends the old secret at once, on every instance within seconds', async () => {
      const made = await makeService({ token_endpoint_auth_method: 'client_secret_jwt' });
      const path = `/apps/shop/clients/${made.client_id}/secrets`;
      const signed = async (secret: string) =>
        send(
          withAssertion(
            await assertion({
              clientId: made.client_id,
              key: Buffer.from(secret),
              alg: 'HS256',
              header: { kid: undefined },
            }),
          ),
        );
      expectAccepted(await signed(made.client_secret));
      const second = await one.admin('POST', path, {});
      expect([second.status, second.body.code]).to.deep.equal([409, 'secrets.one_only']);
      const slow = await one.admin('POST', `${path}/rotate`, { old_expire_in: 60 });
      expect([slow.status, slow.body.code]).to.deep.equal([409, 'secrets.one_only']);
      const next = await one.admin('POST', `${path}/rotate`, {});
      expect(next.status).to.equal(201);
      expectRefused(await signed(made.client_secret));
      expectAccepted(await signed(next.body.client_secret));
      const listed = await one.admin('GET', path);
      expect(listed.body.items).to.have.length(1);
    });

    it('#26 a nested, cut or monstrous assertion is refused as an invalid request or client, never as a fault', async () => {
      const good = await assertion();
      const crit = await assertion({ header: { crit: ['exp'], exp: 1 } }).catch(() => undefined);
      for (const bad of ['x', 'a.b.c', `${good}x`, `${good}.${good}`, `${good}${'A'.repeat(20_000)}`, crit]) {
        if (bad === undefined) continue;
        const answer = await send(withAssertion(bad, { client_id: robot }));
        expect(answer.status, bad.slice(0, 40)).to.be.oneOf([400, 401]);
        expect(answer.body.error).to.be.oneOf(['invalid_request', 'invalid_client']);
      }
    });
  });
}
