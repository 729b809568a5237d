import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { certificates } from '../../support/certificates.ts';
import { makePair } from '../../support/assertions.ts';
import { makeApp } from '../../support/sign-in.ts';

const METHOD = 'token_endpoint_auth_method';

describe('how clients authenticate, in the Admin API', () => {
  let latchkey: TestLatchkey;
  let key: Record<string, unknown>;

  before(async () => {
    latchkey = await startTestLatchkey();
    await makeApp(latchkey, 'shop');
    key = (await makePair('ES256')).publicJwk as Record<string, unknown>;
  });
  after(() => latchkey.stop());

  const make = (settings: Record<string, unknown>, type = 'service') =>
    latchkey.admin('POST', '/apps/shop/clients', { name: 'Robot', type, settings });
  const expectRefused = async (settings: Record<string, unknown>, field: string, type?: string) => {
    const { status, body } = await make(settings, type);
    expect([status, body.field], JSON.stringify(body)).to.deep.equal([400, field]);
    return String(body.detail);
  };
  const rsa = (bits: number) =>
    generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' });

  it('refuses key sets that are none, naming jwks and what is wrong, never the value', async () => {
    const sets: [unknown[], string][] = [
      [[{ ...key, d: 'SECRET' }], 'private key'],
      [[{ kty: 'oct', k: 'SECRET' }], 'private key'],
      [[{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }], 'not a public'],
      [[{ kty: 'EC', crv: 'secp256k1', x: key['x'], y: key['y'] }], 'not a public'],
      [[{}], 'not a public'],
      [[rsa(1024)], 'shorter than 2048'],
      [[key, key], 'alike'],
      [[{ ...key, kid: 7 }], 'no name'],
      [[{ ...key, x5c: [certificates.other] }], 'another key'],
      [[{ ...key, x5c: 'x' }], 'no certificate'],
      [[{ ...key, note: 'x'.repeat(17_000) }], 'larger'],
    ];
    for (const [keys, words] of sets) {
      const detail = await expectRefused({ [METHOD]: 'private_key_jwt', jwks: { keys } }, 'settings.jwks');
      expect(detail).to.include(words).and.not.include('SECRET');
    }
    const eleven = Array.from({ length: 11 }, (_, i) => ({ ...key, kid: `k${i}` }));
    for (const jwks of [{ keys: [] }, { keys: eleven }, { keys: 'x' }])
      await expectRefused({ [METHOD]: 'private_key_jwt', jwks }, 'settings.jwks.keys');
    const { status, body } = await make({ [METHOD]: 'private_key_jwt', jwks: { keys: [key], more: 1 } });
    expect([status, body.code, body.field]).to.deep.equal([
      400,
      'request.unknown_field',
      'settings.jwks.more',
    ]);
  });

  it('refuses a jwks_uri that is no plain https address', async () => {
    for (const uri of [
      'http://keys.example/jwks',
      'ftp://keys.example/jwks',
      'https://user:pass@keys.example/',
      'https://keys.example/#x',
      'keys',
      '',
    ])
      await expectRefused({ [METHOD]: 'private_key_jwt', jwks_uri: uri }, 'settings.jwks_uri');
  });

  it('refuses settings that contradict each other', async () => {
    const jwks = { keys: [key] };
    const dn = { tls_client_auth_subject_dn: 'CN=a' };
    await expectRefused(
      { [METHOD]: 'private_key_jwt', jwks, jwks_uri: 'https://keys.example/jwks' },
      'settings.jwks_uri',
    );
    await expectRefused({ [METHOD]: 'private_key_jwt' }, 'settings.jwks');
    await expectRefused({ [METHOD]: 'self_signed_tls_client_auth' }, 'settings.jwks');
    await expectRefused({ [METHOD]: 'self_signed_tls_client_auth', jwks }, 'settings.jwks');
    await expectRefused({ [METHOD]: 'tls_client_auth' }, 'settings.tls_client_auth_subject_dn');
    await expectRefused(
      { [METHOD]: 'tls_client_auth', ...dn, tls_client_auth_san_dns: 'a.example' },
      'settings.tls_client_auth_san_dns',
    );
    await expectRefused({ ...dn }, 'settings.tls_client_auth_subject_dn');
    const algorithm = 'token_endpoint_auth_signing_alg';
    await expectRefused({ [METHOD]: 'client_secret_jwt', [algorithm]: 'ES256' }, `settings.${algorithm}`);
    await expectRefused({ [METHOD]: 'private_key_jwt', jwks, [algorithm]: 'HS256' }, `settings.${algorithm}`);
    await expectRefused({ [algorithm]: 'ES256' }, `settings.${algorithm}`);
    await expectRefused({ [METHOD]: 'private_key_jwt', jwks, [algorithm]: 'none' }, `settings.${algorithm}`);
    await expectRefused({ [METHOD]: 'none' }, `settings.${METHOD}`);
    for (const method of ['private_key_jwt', 'client_secret_jwt', 'tls_client_auth'])
      await expectRefused({ [METHOD]: method, jwks }, `settings.${METHOD}`, 'spa');
    await expectRefused({ [METHOD]: 'client_secret_magic' }, `settings.${METHOD}`);
  });

  it('gives a secret to the methods that need one, once, and none to the others', async () => {
    for (const method of ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'])
      expect((await make({ [METHOD]: method })).body.client_secret, method).to.be.a('string');
    const made = await make({ [METHOD]: 'private_key_jwt', jwks: { keys: [key] } });
    expect(made.body).to.not.have.property('client_secret');
    const added = await latchkey.admin('POST', `/apps/shop/clients/${made.body.client_id}/secrets`, {});
    expect([added.status, added.body.code]).to.deep.equal([409, 'secrets.public_client']);
  });

  it('a change to client_secret_jwt ends the old secrets and shows a new one; a change away keeps it working', async () => {
    const made = await make({}, 'service');
    const path = `/apps/shop/clients/${made.body.client_id}`;
    const token = async (secret: string) => {
      const answer = await fetch(`${latchkey.baseUrl}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: made.body.client_id,
          client_secret: secret,
        }),
      });
      return answer.status;
    };
    expect(await token(made.body.client_secret)).to.equal(200);
    const signing = await latchkey.admin('PATCH', path, { settings: { [METHOD]: 'client_secret_jwt' } });
    expect(signing.status).to.equal(200);
    expect(signing.body.client_secret).to.be.a('string').and.not.equal(made.body.client_secret);
    const same = await latchkey.admin('PATCH', path, { name: 'Renamed' });
    expect(same.body).to.not.have.property('client_secret');

    const back = await latchkey.admin('PATCH', path, { settings: { [METHOD]: 'client_secret_post' } });
    expect(back.body).to.not.have.property('client_secret');
    expect(await token(made.body.client_secret)).to.equal(401);
    expect(await token(signing.body.client_secret)).to.equal(200);
    const rows = await latchkey.sql(
      'select 1 from client_secrets where client_id = $1 and sealed is not null',
      [made.body.client_id],
    );
    expect(rows).to.deep.equal([]);

    const keyed = { [METHOD]: 'private_key_jwt', jwks: { keys: [key] } };
    await latchkey.admin('PATCH', path, { settings: keyed });
    expect((await latchkey.admin('GET', `${path}/secrets`)).body.items).to.deep.equal([]);
    const again = await latchkey.admin('PATCH', path, { settings: { [METHOD]: null } });
    expect(again.body.client_secret, 'a new one, the old ones are gone').to.be.a('string');
    expect(await token(signing.body.client_secret)).to.equal(401);
    expect(await token(again.body.client_secret)).to.equal(200);
  });

  it('tells the settings back, and never a secret', async () => {
    const jwks = { keys: [{ ...key, use: 'sig' }] };
    const made = await make({ [METHOD]: 'private_key_jwt', jwks });
    const read = await latchkey.admin('GET', `/apps/shop/clients/${made.body.client_id}`);
    expect(read.body.settings).to.deep.include({ [METHOD]: 'private_key_jwt', jwks, jwks_uri: null });
    const signing = await make({ [METHOD]: 'client_secret_jwt' });
    const told = await latchkey.admin('GET', `/apps/shop/clients/${signing.body.client_id}`);
    expect(JSON.stringify(told.body)).to.not.include(signing.body.client_secret).and.not.include('v1.');
  });
});
