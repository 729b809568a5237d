import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { certificates } from '../support/certificates.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  REDIRECT,
  signInByPassword,
} from '../support/sign-in.ts';
import { type Answer, call } from '../support/token-calls.ts';

type Presented = { name: keyof typeof certificates; verified?: string; as?: 'rfc9440' | 'nginx' };

const pem = (name: keyof typeof certificates): string =>
  `-----BEGIN CERTIFICATE-----\n${certificates[name]}\n-----END CERTIFICATE-----\n`;
const thumbprint = (name: keyof typeof certificates): string =>
  Buffer.from(new X509Certificate(pem(name)).fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
const keyWithCertificate = (name: keyof typeof certificates) => ({
  ...new X509Certificate(pem(name)).publicKey.export({ format: 'jwk' }),
  x5c: [certificates[name]],
});

/** What a proxy that has ended the TLS connection adds to the request. */
const passedOn = ({ name, verified, as = 'rfc9440' }: Presented): Record<string, string> => ({
  'client-cert': as === 'rfc9440' ? `:${certificates[name]}:` : encodeURIComponent(pem(name)),
  ...(verified ? { 'x-client-verify': verified } : {}),
});

const HEADERS = { MTLS_CERTIFICATE_HEADER: 'Client-Cert', MTLS_VERIFIED_HEADER: 'X-Client-Verify' };
const SUBJECT = 'CN=client-1,OU=Payments,O=Acme\\, Inc.,C=DE';
const VERIFIED = { name: 'plain', verified: 'SUCCESS' } as const;

describe('mutual TLS that ended at a trusted proxy', () => {
  let latchkey: TestLatchkey;

  before(async () => {
    latchkey = await startTestLatchkey({
      driver: 'redis',
      env: { ...HEADERS, TRUSTED_PROXIES: '127.0.0.1,::1' },
    });
    await makeApp(latchkey, 'shop');
    await makeUser(latchkey, 'shop', 'ada@example.com');
  });
  after(() => latchkey.stop());

  const makeClient = async (settings: Record<string, unknown>, more: object = {}): Promise<string> => {
    const body = { name: 'Robot', type: 'service', settings, ...more };
    const made = await latchkey.admin('POST', '/apps/shop/clients', body);
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    expect(made.body).to.not.have.property('client_secret');
    return made.body.client_id;
  };
  const called = (setting: string, value: string): Promise<string> =>
    makeClient({ token_endpoint_auth_method: 'tls_client_auth', [setting]: value });
  const send = (form: Record<string, string>, presented?: Presented, at = latchkey): Promise<Answer> =>
    call(`${at.baseUrl}/token`, {
      method: 'POST',
      headers: presented ? passedOn(presented) : {},
      body: new URLSearchParams(form),
    });
  const credentials = (clientId: string, presented?: Presented, at = latchkey): Promise<Answer> =>
    send({ grant_type: 'client_credentials', client_id: clientId }, presented, at);
  const expectRefused = (answer: Answer): void => {
    expect([answer.status, answer.body.error], answer.text).to.deep.equal([401, 'invalid_client']);
  };
  const expectAccepted = (answer: Answer): void => {
    expect(answer.status, answer.text).to.equal(200);
  };

  describe('tls_client_auth', () => {
    it('knows a client by the subject of its verified certificate, in either form that proxies send', async () => {
      const client = await called('tls_client_auth_subject_dn', SUBJECT);
      expectAccepted(await credentials(client, VERIFIED));
      expectAccepted(await credentials(client, { ...VERIFIED, as: 'nginx' }));
    });

    it('is refused without a certificate, with another one, or where the proxy has not verified it', async () => {
      const client = await called('tls_client_auth_subject_dn', SUBJECT);
      expectRefused(await credentials(client));
      expectRefused(await credentials(client, { name: 'other', verified: 'SUCCESS' }));
      for (const verified of [undefined, 'NONE', 'FAILED:self-signed certificate', 'success'])
        expectRefused(await credentials(client, { name: 'plain', ...(verified ? { verified } : {}) }));
    });

    it('is refused with a certificate that has expired, whatever the proxy says', async () => {
      const client = await called('tls_client_auth_subject_dn', SUBJECT);
      expectRefused(await credentials(client, { name: 'expired', verified: 'SUCCESS' }));
    });

    it('reads the subject as RFC 4514 writes it, and takes no other order, part or spelling for it', async () => {
      for (const same of [
        'cn=client-1, ou=Payments, o=Acme\\2C Inc., c=DE',
        'CN=client-1,OU=Pay\\6dents,O=Acme\\, Inc.,C=DE',
      ])
        expectAccepted(await credentials(await called('tls_client_auth_subject_dn', same), VERIFIED));
      for (const different of [
        'C=DE,O=Acme\\, Inc.,OU=Payments,CN=client-1',
        'CN=client-1',
        'CN=client-1,OU=Payments,O=Acme, Inc.,C=DE',
        'CN=CLIENT-1,OU=Payments,O=Acme\\, Inc.,C=DE',
        'CN=client-1+OU=Payments,O=Acme\\, Inc.,C=DE',
        'no name at all',
      ])
        expectRefused(await credentials(await called('tls_client_auth_subject_dn', different), VERIFIED));
    });

    it('knows a client by each kind of alternative name', async () => {
      const names = {
        tls_client_auth_san_dns: ['Client.example', 'example'],
        tls_client_auth_san_uri: ['https://client.example/a', 'https://client.example/'],
        tls_client_auth_san_ip: ['2001:db8::1', '192.0.2.8'],
        tls_client_auth_san_email: ['ops@client.example', 'client.example'],
      };
      for (const [setting, [right, wrong]] of Object.entries(names)) {
        expectAccepted(await credentials(await called(setting, right!), VERIFIED));
        expectRefused(await credentials(await called(setting, wrong!), VERIFIED));
      }
      expectAccepted(await credentials(await called('tls_client_auth_san_ip', '192.0.2.7'), VERIFIED));
    });

    it('never takes one alternative name that looks like two for the second', async () => {
      const client = await called('tls_client_auth_san_dns', 'client.example');
      expectRefused(await credentials(client, { name: 'sneaky', verified: 'SUCCESS' }));
    });

    it('refuses a header that holds no certificate, or more than one', async () => {
      const client = await called('tls_client_auth_subject_dn', SUBJECT);
      const headers = [
        certificates.plain,
        `:${certificates.plain}:, :${certificates.other}:`,
        encodeURIComponent(pem('plain') + pem('other')),
        '%',
        ':AAAA:',
      ];
      for (const header of headers) {
        const answer = await call(`${latchkey.baseUrl}/token`, {
          method: 'POST',
          headers: { 'client-cert': header, 'x-client-verify': 'SUCCESS' },
          body: new URLSearchParams({ grant_type: 'client_credentials', client_id: client }),
        });
        expectRefused(answer);
      }
    });
  });

  it('self_signed_tls_client_auth knows a client by the certificate in its keys, verified by nobody', async () => {
    const client = await makeClient({
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [keyWithCertificate('plain')] },
    });
    expectAccepted(await credentials(client, { name: 'plain' }));
    expectRefused(await credentials(client, { name: 'other' }));
    expectRefused(await credentials(client));
  });

  describe('tokens bound to a certificate', () => {
    const bound = { tls_client_certificate_bound_access_tokens: true };
    const ask = (path: string, token: string, presented?: Presented): Promise<Answer> =>
      call(`${latchkey.baseUrl}${path}`, {
        headers: { authorization: `Bearer ${token}`, ...(presented ? passedOn(presented) : {}) },
      });

    it('name it, and are refused at userinfo and introspection says so', async () => {
      const { tokens, clientId } = await signedInWith({ name: 'plain' });
      expect(decodeJwt(tokens.access_token)['cnf']).to.deep.equal({ 'x5t#S256': thumbprint('plain') });
      expect((await ask('/userinfo', tokens.access_token, { name: 'plain' })).status).to.equal(200);
      for (const presented of [undefined, { name: 'other' } as const]) {
        const refused = await ask('/userinfo', tokens.access_token, presented);
        expect(refused.status, refused.text).to.equal(401);
        expect(refused.headers.get('www-authenticate')).to.include('error="invalid_token"');
      }
      expect(clientId).to.match(/^cli_/);
    });

    it('are described with their thumbprint at introspection', async () => {
      const client = await makeClient({
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        jwks: { keys: [keyWithCertificate('plain')] },
        ...bound,
      });
      const issued = await credentials(client, { name: 'plain' });
      expectAccepted(issued);
      const introspected = await call(`${latchkey.baseUrl}/introspect`, {
        method: 'POST',
        headers: passedOn({ name: 'plain' }),
        body: new URLSearchParams({ client_id: client, token: issued.body.access_token }),
      });
      expect(introspected.body).to.deep.include({ active: true, cnf: { 'x5t#S256': thumbprint('plain') } });
    });

    it('are refreshed with the same certificate alone by a client that has nothing else to show', async () => {
      const { tokens, clientId } = await signedInWith({ name: 'plain' });
      const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: tokens.refresh_token };
      for (const presented of [undefined, { name: 'other' } as const]) {
        const refused = await send(form, presented);
        expect([refused.status, refused.body.error]).to.deep.equal([400, 'invalid_grant']);
      }
      const next = await send(form, { name: 'plain' });
      expectAccepted(next);
      expect(decodeJwt(next.body.access_token)['cnf']).to.deep.equal({ 'x5t#S256': thumbprint('plain') });
      const last = { ...form, refresh_token: next.body.refresh_token };
      expect((await send(last, { name: 'other' })).status).to.equal(400);
      expectAccepted(await send(last, { name: 'plain' }));
    });

    it('are given again for a lost answer to whoever has the same certificate, and to nobody else', async () => {
      // It authenticates with its secret alone, so that only the retry tells one certificate from the other.
      const made = await latchkey.admin('POST', '/apps/shop/clients', {
        name: 'Server',
        type: 'web',
        redirect_uris: [REDIRECT],
        settings: { tls_client_certificate_bound_access_tokens: true },
      });
      const web = { clientId: made.body.client_id as string, secret: made.body.client_secret as string };
      const { tokens } = await signedInAs(web, { name: 'plain' });
      const refreshWith = (token: string, presented: Presented) =>
        send({ ...authenticated(web), grant_type: 'refresh_token', refresh_token: token }, presented);
      const first = await refreshWith(tokens.refresh_token, { name: 'plain' });
      expectAccepted(first);
      const again = await refreshWith(tokens.refresh_token, { name: 'plain' });
      expectAccepted(again);
      expect(again.body.refresh_token).to.equal(first.body.refresh_token);
      const stolen = await refreshWith(tokens.refresh_token, { name: 'other' });
      expect([stolen.status, stolen.body.error]).to.deep.equal([400, 'invalid_grant']);
      expect((await refreshWith(first.body.refresh_token, { name: 'plain' })).status).to.equal(400);
    });

    const authenticated = (client: { clientId: string; secret: string | undefined }) => ({
      client_id: client.clientId,
      ...(client.secret === undefined ? {} : { client_secret: client.secret }),
    });

    async function signedInWith(presented: Presented): Promise<{ tokens: any; clientId: string }> {
      const clientId = await makeClient(bound, { type: 'native', redirect_uris: [REDIRECT] });
      return signedInAs({ clientId, secret: undefined }, presented);
    }

    async function signedInAs(
      client: { clientId: string; secret: string | undefined },
      presented: Presented,
    ): Promise<{ tokens: any; clientId: string }> {
      const { clientId } = client;
      const configuration = await discover(latchkey, { appId: 'shop', ...client }, 'shared');
      const request = await authorizationRequest(configuration);
      const page = await signInByPassword(latchkey.agent(), request, 'ada@example.com');
      const form = {
        ...authenticated(client),
        grant_type: 'authorization_code',
        code: new URL(page.url).searchParams.get('code')!,
        redirect_uri: REDIRECT,
        code_verifier: request.verifier,
      };
      const answer = await send(form, presented);
      expectAccepted(answer);
      return { tokens: answer.body, clientId };
    }
  });

  it('is described by both issuers', async () => {
    for (const issuer of [latchkey.baseUrl, `${latchkey.baseUrl}/auth/shop`]) {
      const { body } = await call(`${issuer}/.well-known/openid-configuration`);
      expect(body.token_endpoint_auth_methods_supported).to.include.members([
        'private_key_jwt',
        'client_secret_jwt',
        'tls_client_auth',
        'self_signed_tls_client_auth',
      ]);
      expect(body.token_endpoint_auth_signing_alg_values_supported).to.include('ES256');
      expect(body.tls_client_certificate_bound_access_tokens).to.equal(true);
    }
  });

  it('from anyone but a trusted proxy the header says nothing, and bound clients get no unbound token', async () => {
    const client = await called('tls_client_auth_subject_dn', SUBJECT);
    const selfSigned = await makeClient({
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [keyWithCertificate('plain')] },
    });
    const strangers = await startTestLatchkey({ env: { ...HEADERS, TRUSTED_PROXIES: '192.0.2.1' } });
    const without = await startTestLatchkey();
    try {
      for (const other of [strangers, without]) {
        await makeApp(other, 'shop');
        const settings = {
          token_endpoint_auth_method: 'self_signed_tls_client_auth',
          jwks: { keys: [keyWithCertificate('plain')] },
        };
        const made = await other.admin('POST', '/apps/shop/clients', {
          name: 'R',
          type: 'service',
          settings,
        });
        expectRefused(await credentials(made.body.client_id, VERIFIED, other));
        const boundOnes = { tls_client_certificate_bound_access_tokens: true };
        const secretly = await other.admin('POST', '/apps/shop/clients', {
          name: 'R',
          type: 'service',
          settings: boundOnes,
        });
        const answer = await send(
          {
            grant_type: 'client_credentials',
            client_id: secretly.body.client_id,
            client_secret: secretly.body.client_secret,
          },
          VERIFIED,
          other,
        );
        expect(answer.status, answer.text).to.be.oneOf([400, 401]);
        expect(answer.body).to.not.have.property('access_token');
      }
    } finally {
      await Promise.all([strangers.stop(), without.stop()]);
    }
    expectAccepted(await credentials(client, VERIFIED));
    expectAccepted(await credentials(selfSigned, { name: 'plain' }));
  });
});
