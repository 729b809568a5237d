import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { makeApp, makeUser, PASSWORD } from '../support/sign-in.ts';
import { type Answer, call } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
/** Of a program on somebody's machine: the port is whatever was free. */
const CALLBACK = 'http://127.0.0.1:33418/callback';
const ABOUT_ITSELF = {
  client_name: 'Assistant',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
};

describe('a client of the Model Context Protocol that nobody has set up', () => {
  let latchkey: TestLatchkey;
  let tools: Server;
  let toolsUrl: string;
  let metadataUrl: string;

  before(async () => {
    // A resource server as docs/integrate/mcp.md describes it, and the address of the client's document.
    tools = createServer(async (request, response) => {
      if (request.url === '/client.json') {
        const document = { client_id: `${toolsUrl}client.json`, ...ABOUT_ITSELF };
        response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
        return;
      }
      const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
      const issuer = `${latchkey.baseUrl}/auth/shop`;
      const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
      try {
        const { payload } = await jwtVerify(token, keys, { issuer, audience: toolsUrl, typ: 'at+jwt' });
        response.end(JSON.stringify({ user: payload.sub, scope: payload['scope'] }));
      } catch {
        const challenge = `Bearer resource_metadata="${metadataUrl}"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      }
    });
    await new Promise<void>((resolve) => tools.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(tools.address() as AddressInfo).port}`;
    toolsUrl = `http://${host}/`;
    latchkey = await startTestLatchkey({ driver: 'redis', env: { OUTBOUND_ALLOWED_HOSTS: host } });
    await makeApp(latchkey, 'shop', {
      settings: {
        dynamic_registration: 'open',
        client_id_metadata_documents: true,
        registered_clients: { api_scopes: { [toolsUrl]: ['tools:use'] } },
      },
    });
    await makeUser(latchkey, 'shop', EMAIL);
    const made = await latchkey.admin('POST', '/apps/shop/apis', {
      identifier: toolsUrl,
      name: 'Shop tools',
      scopes: [
        { name: 'tools:use', description: 'Use the shop tools as you', default: true },
        { name: 'tools:manage', description: 'Set up the shop tools' },
      ],
    });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    metadataUrl = `${latchkey.baseUrl}/auth/shop/apis/${made.body.api_id}/oauth-protected-resource`;
  });
  after(async () => {
    tools.closeAllConnections();
    tools.close();
    await latchkey.stop();
  });

  /** From a URL to what its authorization server says about itself: RFC 9728 §5, RFC 8414 §3.1. */
  async function discover(): Promise<{ resource: string; server: any }> {
    const challenged = await call(toolsUrl);
    const [, where] = /resource_metadata="([^"]+)"/.exec(challenged.headers.get('www-authenticate')!) ?? [];
    const { resource, authorization_servers: servers } = (await call(where!)).body;
    expect(resource).to.equal(toolsUrl);
    const issuer = new URL(servers[0]);
    const { body } = await call(`${issuer.origin}/.well-known/oauth-authorization-server${issuer.pathname}`);
    expect(body.issuer).to.equal(issuer.href);
    expect(body.code_challenge_methods_supported).to.deep.equal(['S256']);
    return { resource, server: body };
  }

  const ways: [string, (server: any) => Promise<string>][] = [
    [
      'names itself by its document',
      (server) => {
        expect(server.client_id_metadata_document_supported).to.equal(true);
        return Promise.resolve(`${toolsUrl}client.json`);
      },
    ],
    [
      'registers itself',
      async (server) => {
        const answer = await call(server.registration_endpoint, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(ABOUT_ITSELF),
        });
        expect(answer.status, answer.text).to.equal(201);
        return answer.body.client_id;
      },
    ],
  ];
  for (const [how, introduce] of ways) {
    it(`${how}, and comes from a URL to tokens for it alone, which it refreshes`, async () => {
      const { resource, server } = await discover();
      const clientId = await introduce(server);
      const verifier = randomBytes(32).toString('base64url');
      const query = new URLSearchParams({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: CALLBACK,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        state: 's',
        scope: 'tools:use offline_access',
        resource,
      });
      const agent = latchkey.agent();
      const signIn = await agent.open(`${server.authorization_endpoint}?${query}`);
      const asked = await agent.submit(signIn, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect(asked.html)
        .to.include('Use the shop tools as you')
        .and.include('Nobody has checked this program');
      const back = new URL((await agent.submit(asked, { decision: 'allow' }, { ending: '/consent' })).url);
      expect([back.searchParams.get('iss'), back.searchParams.get('state')]).to.deep.equal([
        server.issuer,
        's',
      ]);
      const token = (form: Record<string, string>): Promise<Answer> =>
        call(server.token_endpoint, {
          method: 'POST',
          body: new URLSearchParams({ client_id: clientId, resource, ...form }),
        });
      const first = await token({
        grant_type: 'authorization_code',
        code: back.searchParams.get('code')!,
        redirect_uri: CALLBACK,
        code_verifier: verifier,
      });
      expect(first.status, first.text).to.equal(200);
      const next = await token({ grant_type: 'refresh_token', refresh_token: first.body.refresh_token });
      expect(next.status, next.text).to.equal(200);
      expect(next.body.refresh_token).to.not.equal(first.body.refresh_token);
      for (const { body } of [first, next]) {
        const headers = { authorization: `Bearer ${body.access_token}` };
        const served = await call(toolsUrl, { headers });
        expect([served.status, served.body?.scope]).to.deep.equal([200, 'tools:use']);
        expect((await call(server.userinfo_endpoint, { headers })).status, 'for the tools alone').to.equal(
          401,
        );
      }
      // What the operator did not give to such clients is not there for them, whoever consents.
      query.set('scope', 'tools:use tools:manage');
      const greedy = await agent.open(`${server.authorization_endpoint}?${query}`);
      expect(greedy.html + greedy.url).to.not.include('Set up the shop tools');
    });
  }
});
