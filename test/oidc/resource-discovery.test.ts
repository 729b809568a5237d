import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, PASSWORD } from '../support/sign-in.ts';
import { call } from '../support/token-calls.ts';

const CALLBACK = 'http://127.0.0.1:33418/callback';
const metadataIn = (challenge: string | null): string =>
  /resource_metadata="([^"]+)"/.exec(challenge ?? '')?.[1] ?? '';

describe('protected resource metadata (RFC 9728)', () => {
  let latchkey: TestLatchkey;
  let tools: Server;
  let toolsUrl: string;
  let apiId: string;

  before(async () => {
    latchkey = await startTestLatchkey({ driver: 'redis' });
    await makeApp(latchkey, 'shop');
    await makeUser(latchkey, 'shop', 'ada@example.com');
    // A resource server as docs/integrate/mcp.md describes it.
    tools = createServer(async (request, response) => {
      if (request.url === '/.well-known/oauth-protected-resource')
        return response
          .writeHead(302, {
            location: `${latchkey.baseUrl}/auth/shop/apis/${apiId}/oauth-protected-resource`,
          })
          .end();
      const token = request.headers.authorization?.slice('Bearer '.length) ?? '';
      const issuer = `${latchkey.baseUrl}/auth/shop`;
      const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
      try {
        const { payload } = await jwtVerify(token, keys, { issuer, audience: toolsUrl, typ: 'at+jwt' });
        response.end(JSON.stringify({ user: payload.sub, scope: payload['scope'] }));
      } catch {
        const challenge = `Bearer resource_metadata="${toolsUrl}.well-known/oauth-protected-resource"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      }
    });
    await new Promise<void>((resolve) => tools.listen(0, '127.0.0.1', resolve));
    toolsUrl = `http://127.0.0.1:${(tools.address() as AddressInfo).port}/`;
    const made = await latchkey.admin('POST', '/apps/shop/apis', {
      identifier: toolsUrl,
      name: 'Shop tools',
      scopes: [{ name: 'tools:use', description: 'Use the shop tools as you', default: true }],
    });
    apiId = made.body.api_id;
  });
  after(async () => {
    tools.close();
    await latchkey.stop();
  });

  it('leads a client that knows nothing but a URL to a token for it, by fetch alone', async () => {
    const client = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Assistant',
      type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
      settings: { first_party: false },
    });
    // RFC 9728 §5: the challenge, then the document, which must be about the URL that was asked.
    const challenged = await call(toolsUrl);
    expect(challenged.status).to.equal(401);
    const document = await fetch(metadataIn(challenged.headers.get('www-authenticate')));
    const metadata = (await document.json()) as any;
    expect(metadata).to.include({ resource: toolsUrl, resource_name: 'Shop tools' });
    expect(metadata.scopes_supported).to.deep.equal(['tools:use']);
    // RFC 8414 §3.1.
    const issuer = new URL(metadata.authorization_servers[0]);
    const server = (await call(`${issuer.origin}/.well-known/oauth-authorization-server${issuer.pathname}`))
      .body;
    expect(server.issuer).to.equal(issuer.href);
    expect(server.code_challenge_methods_supported).to.deep.equal(['S256']);
    expect(server.protected_resources).to.include(toolsUrl);

    const verifier = randomBytes(32).toString('base64url');
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: client.body.client_id,
      response_type: 'code',
      redirect_uri: CALLBACK,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      state: 's',
      resource: metadata.resource,
    }).toString();
    const agent = latchkey.agent();
    const asked = await agent.submit(
      await agent.open(url.href),
      { email: 'ada@example.com', password: PASSWORD },
      { ending: '/password' },
    );
    expect(asked.html).to.include('Use the shop tools as you');
    const back = new URL((await agent.submit(asked, { decision: 'allow' }, { ending: '/consent' })).url);
    expect(back.searchParams.get('iss')).to.equal(server.issuer);
    const tokens = await call(server.token_endpoint, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: client.body.client_id,
        code: back.searchParams.get('code')!,
        redirect_uri: CALLBACK,
        code_verifier: verifier,
        resource: metadata.resource,
      }),
    });
    expect(tokens.status, tokens.text).to.equal(200);
    const authorization = `Bearer ${tokens.body.access_token}`;
    const served = await call(toolsUrl, { headers: { authorization } });
    expect(served.status).to.equal(200);
    expect(served.body.scope).to.equal('tools:use');
    expect((await call(server.userinfo_endpoint, { headers: { authorization } })).status).to.equal(401);
  });

  for (const [name, path] of [
    ['own', '/auth/shop'],
    ['shared', ''],
  ] as const) {
    it(`is named by the challenge of the userinfo endpoint and leads to a token for it (${name} issuer)`, async () => {
      const endpoint = `${latchkey.baseUrl}${path}/userinfo`;
      for (const headers of [{}, { authorization: 'Bearer nonsense' }]) {
        const refused = await call(endpoint, { headers: headers as Record<string, string> });
        expect(refused.status).to.be.oneOf([400, 401]);
        const metadata = await call(metadataIn(refused.headers.get('www-authenticate')));
        expect(metadata.status, metadata.text).to.equal(200);
        expect(metadata.headers.get('access-control-allow-origin')).to.equal('*');
        expect(metadata.body.resource).to.equal(endpoint);
        expect(metadata.body.authorization_servers).to.deep.equal([latchkey.baseUrl + path]);
      }
    });
  }

  it('makes the userinfo endpoint a resource like any other, whose tokens it takes', async () => {
    const client = await latchkey.admin('POST', '/apps/shop/clients', {
      name: 'Reader',
      type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
    });
    const issuer = `${latchkey.baseUrl}/auth/shop`;
    const verifier = randomBytes(32).toString('base64url');
    const resource = `${issuer}/userinfo`;
    const query = new URLSearchParams({
      client_id: client.body.client_id,
      response_type: 'code',
      redirect_uri: CALLBACK,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      scope: 'openid email',
      resource,
    });
    const agent = latchkey.agent();
    const page = await agent.submit(
      await agent.open(`${issuer}/authorize?${query}`),
      { email: 'ada@example.com', password: PASSWORD },
      { ending: '/password' },
    );
    const tokens = await call(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: client.body.client_id,
        code: new URL(page.url).searchParams.get('code')!,
        redirect_uri: CALLBACK,
        code_verifier: verifier,
        resource,
      }),
    });
    const told = await call(resource, { headers: { authorization: `Bearer ${tokens.body.access_token}` } });
    expect(told.body).to.include({ email: 'ada@example.com' });
  });

  it('is the same in the Admin API, and exists for no API of another app', async () => {
    await makeApp(latchkey, 'books');
    const own = `${latchkey.baseUrl}/auth/shop/apis/${apiId}/oauth-protected-resource`;
    const document = await latchkey.admin('GET', `/apps/shop/apis/${apiId}/resource-metadata`);
    expect(document.body).to.deep.equal((await call(own)).body);
    expect((await call(own.replace('/shop/', '/books/'))).status).to.equal(404);
    expect((await call(own.replace('/shop/', '/nowhere/'))).status).to.equal(404);
    const unknown = `${latchkey.baseUrl}/.well-known/oauth-protected-resource/auth/nowhere/userinfo`;
    expect((await call(unknown)).status).to.equal(404);
  });
});
