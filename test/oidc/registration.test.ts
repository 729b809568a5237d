import { expect } from 'chai';
import * as oidc from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { expectAskedEachTime } from '../support/consent.ts';
import {
  authorizationRequest,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  signInByPassword,
} from '../support/sign-in.ts';
import { type Answer, atOnce, call } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';

for (const driver of drivers) {
  describe(`clients that register themselves, on ${driver}`, () => {
    let latchkey: TestLatchkey;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      const registered_clients = { per_network_per_hour: 1000 };
      await makeApp(latchkey, 'closed');
      await makeApp(latchkey, 'open', { settings: { dynamic_registration: 'open', registered_clients } });
      await makeApp(latchkey, 'invited', {
        settings: { dynamic_registration: 'initial_access_token', registered_clients },
      });
      await makeUser(latchkey, 'open', EMAIL);
    });
    after(() => latchkey.stop());

    const endpoint = (appId: string): string => `${latchkey.baseUrl}/auth/${appId}/clients/register`;
    const send = (method: string, url: string, body?: unknown, token?: string): Promise<Answer> =>
      call(url, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const register = (appId: string, metadata: object = {}, token?: string): Promise<Answer> =>
      send('POST', endpoint(appId), { redirect_uris: [REDIRECT], ...metadata }, token);
    const setUp = (appId: string, settings: object): Promise<unknown> =>
      latchkey.admin('PATCH', `/apps/${appId}`, { settings });

    it('is off unless the app has switched it on, and no metadata names it', async () => {
      expect((await register('closed')).status).to.equal(404);
      expect((await send('GET', `${endpoint('closed')}/cli_x`, undefined, 'x')).status).to.equal(404);
      expect((await register('nobody')).status).to.equal(404);
      const metadata = async (issuer: string) =>
        (await call(`${issuer}/.well-known/openid-configuration`)).body.registration_endpoint;
      expect(await metadata(issuerOf(latchkey, 'closed', 'own'))).to.equal(undefined);
      expect(await metadata(latchkey.baseUrl)).to.equal(undefined);
      expect(await metadata(issuerOf(latchkey, 'open', 'own'))).to.equal(endpoint('open'));
      expect((await call(`${latchkey.baseUrl}/clients/register`, { method: 'POST' })).status).to.equal(404);
    });

    it('takes a program from discovery to tokens, and its person is asked and told where it leads', async () => {
      const issuer = new URL(issuerOf(latchkey, 'open', 'own'));
      const metadata = (await call(`${latchkey.baseUrl}/.well-known/oauth-authorization-server/auth/open`))
        .body;
      expect(metadata.issuer).to.equal(issuer.href);
      const configuration = await oidc.dynamicClientRegistration(
        issuer,
        {
          client_name: 'Agent "<b>Bank</b>"',
          redirect_uris: [REDIRECT],
          grant_types: ['authorization_code', 'refresh_token'],
          token_endpoint_auth_method: 'none',
        },
        oidc.None(),
        { execute: [oidc.allowInsecureRequests] },
      );
      const request = await authorizationRequest(configuration, { prompt: 'consent' });
      const agent = latchkey.agent();
      const page = await agent.open(request.url.href);
      const consent = await agent.submit(page, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect(consent.html)
        .to.include('Nobody has checked this program')
        .and.include('a program on this device');
      expect(consent.html).to.not.include('<b>Bank</b>');
      const done = await agent.submit(consent, { decision: 'allow' }, { ending: '/consent' });
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(done.url), {
        pkceCodeVerifier: request.verifier,
        expectedState: request.state,
        expectedNonce: request.nonce,
      });
      expect(tokens.claims()!.aud).to.equal(configuration.clientMetadata().client_id);
      const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
      expect(next.access_token).to.be.a('string');
      await expectAskedEachTime(agent, configuration);
    });

    it('remembers what was allowed to a client that proves to be the same one', async () => {
      const configuration = await oidc.dynamicClientRegistration(
        new URL(issuerOf(latchkey, 'open', 'own')),
        { client_name: 'Site', redirect_uris: [REDIRECT] },
        undefined,
        { execute: [oidc.allowInsecureRequests] },
      );
      const agent = latchkey.agent();
      const consent = await signInByPassword(agent, await authorizationRequest(configuration), EMAIL);
      const done = await agent.submit(consent, { decision: 'allow' }, { ending: '/consent' });
      expect(new URL(done.url).searchParams.has('code')).to.equal(true);
      const again = await agent.open((await authorizationRequest(configuration)).url.href);
      expect(new URL(again.url).searchParams.has('code')).to.equal(true);
    });

    it('answers with everything that holds, and the secret works at once', async () => {
      const made = await register('open', { scope: 'openid admin', unknown: { x: 1 }, client_name: 'Shop' });
      expect(made.status, made.text).to.equal(201);
      expect(made.headers.get('cache-control')).to.equal('no-store');
      expect(made.body).to.deep.include({
        client_name: 'Shop',
        application_type: 'web',
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        client_secret_expires_at: 0,
        registration_client_uri: `${endpoint('open')}/${made.body.client_id}`,
      });
      expect(made.body.client_id).to.match(/^cli_/);
      expect(made.body).to.not.have.any.keys('scope', 'unknown');
      const told = await call(`${issuerOf(latchkey, 'open', 'own')}/introspect`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${made.body.client_id}:${made.body.client_secret}`).toString('base64')}`,
        },
        body: new URLSearchParams({ token: 'x' }),
      });
      expect([told.status, told.body]).to.deep.equal([200, { active: false }]);
      const listed = await latchkey.admin('GET', `/apps/open/clients/${made.body.client_id}`);
      expect(listed.body.settings).to.include({
        first_party: false,
        pkce_required: true,
        refresh_tokens: 'never',
      });
      const rows = await latchkey.sql(
        'select * from registered_clients join client_secrets using (client_id)',
      );
      for (const secret of [made.body.client_secret, made.body.registration_access_token])
        expect(JSON.stringify(rows)).to.not.include(secret);
    });

    it('refuses what no client of an operator could be, and more', async () => {
      const refused: [object, string][] = [
        [{ redirect_uris: undefined }, 'invalid_redirect_uri'],
        [{ redirect_uris: [] }, 'invalid_redirect_uri'],
        [{ redirect_uris: ['https://rp.test/*'] }, 'invalid_redirect_uri'],
        [{ redirect_uris: ['https://rp.test/#x'] }, 'invalid_redirect_uri'],
        [{ redirect_uris: ['http://rp.test/cb'] }, 'invalid_redirect_uri'],
        [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
        [{ redirect_uris: ['myapp:/cb'] }, 'invalid_redirect_uri'],
        [{ grant_types: ['client_credentials'] }, 'invalid_client_metadata'],
        [{ grant_types: ['password'] }, 'invalid_client_metadata'],
        [{ grant_types: ['implicit'] }, 'invalid_client_metadata'],
        [{ grant_types: ['refresh_token'] }, 'invalid_client_metadata'],
        [{ response_types: ['token'] }, 'invalid_client_metadata'],
        [{ token_endpoint_auth_method: 'client_secret_jwt' }, 'invalid_client_metadata'],
        [{ token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
        [{ client_name: 'two\nlines' }, 'invalid_client_metadata'],
        [{ client_name: '' }, 'invalid_client_metadata'],
      ];
      for (const [metadata, error] of refused) {
        const answer = await register('open', metadata);
        expect([answer.status, answer.body.error], JSON.stringify(metadata)).to.deep.equal([400, error]);
      }
      expect((await send('POST', endpoint('open'), [])).status).to.equal(400);
    });

    it('service accounts register only where the app allows it', async () => {
      await setUp('open', { registered_clients: { client_credentials: true, scopes: ['orders:read'] } });
      const metadata = { redirect_uris: undefined, grant_types: ['client_credentials'] };
      const made = await register('open', { ...metadata, scope: 'orders:read admin' });
      expect([made.status, made.body.scope], made.text).to.deep.equal([201, 'orders:read']);
      expect((await register('open', { ...metadata, token_endpoint_auth_method: 'none' })).status).to.equal(
        400,
      );
      await setUp('open', { registered_clients: { client_credentials: false, scopes: [] } });
    });

    describe('with initial access tokens', () => {
      const issue = async (more: object = {}): Promise<any> => {
        const issued = await latchkey.admin('POST', '/apps/invited/registration-tokens', {
          name: 'Partner',
          ...more,
        });
        expect(issued.status, JSON.stringify(issued.body)).to.equal(201);
        return issued.body;
      };
      const expectRefused = (answer: Answer): void => {
        expect([answer.status, answer.body.error], answer.text).to.deep.equal([401, 'invalid_token']);
        expect(answer.headers.get('www-authenticate')).to.include('Bearer');
      };

      it('registers whoever holds one, and nobody else', async () => {
        const { registration_token: token, token_id: tokenId } = await issue();
        expect((await register('invited', {}, token)).status).to.equal(201);
        expectRefused(await register('invited'));
        expectRefused(await register('invited', {}, 'wrong'));
        const elsewhere = await register('open', {}, token);
        expectRefused(elsewhere);
        const listed = await latchkey.admin('GET', '/apps/invited/registration-tokens');
        expect(JSON.stringify(listed.body)).to.include(tokenId).and.not.include(token);
        const revoked = await latchkey.admin('DELETE', `/apps/invited/registration-tokens/${tokenId}`);
        expect(revoked.status).to.equal(204);
        expectRefused(await register('invited', {}, token));
      });

      it('16 at once with a token for three uses register three clients, which work', async () => {
        const { registration_token: token } = await issue({ uses: 3 });
        const answers = await atOnce(16, () => register('invited', {}, token));
        const won = answers.filter(({ status }) => status === 201);
        expect(won).to.have.length(3);
        for (const lost of answers.filter((answer) => !won.includes(answer))) expectRefused(lost);
        for (const { body } of won)
          expect(
            (await send('GET', body.registration_client_uri, undefined, body.registration_access_token))
              .status,
          ).to.equal(200);
      });

      it('an expired one registers nobody', async () => {
        const { registration_token: token, token_id: tokenId } = await issue({ expires_in: 60 });
        await latchkey.sql(`update registration_tokens set expires_at = now() where token_id = $1`, [
          tokenId,
        ]);
        expectRefused(await register('invited', {}, token));
      });
    });

    describe('managing a registration', () => {
      it('reads, changes and ends with its own token alone', async () => {
        const { body: one } = await register('open', { token_endpoint_auth_method: 'none' });
        const { body: two } = await register('open', { token_endpoint_auth_method: 'none' });
        const own = one.registration_access_token;
        for (const token of [undefined, 'wrong', two.registration_access_token, one.client_id]) {
          for (const method of ['GET', 'DELETE'])
            expect((await send(method, one.registration_client_uri, undefined, token)).status).to.equal(401);
          const metadata = { client_id: one.client_id, redirect_uris: [REDIRECT] };
          expect((await send('PUT', one.registration_client_uri, metadata, token)).status).to.equal(401);
        }
        const next = {
          client_id: one.client_id,
          client_name: 'New name',
          redirect_uris: ['https://new.test/cb'],
          token_endpoint_auth_method: 'none',
        };
        const changed = await send('PUT', one.registration_client_uri, next, own);
        expect(changed.status, changed.text).to.equal(200);
        expect(changed.body).to.deep.include({
          client_name: 'New name',
          redirect_uris: ['https://new.test/cb'],
        });
        for (const wrong of [
          { ...next, client_id: two.client_id },
          { ...next, registration_access_token: own },
          { ...next, token_endpoint_auth_method: 'client_secret_basic' },
          { ...next, redirect_uris: ['http://evil.test/'] },
        ])
          expect((await send('PUT', one.registration_client_uri, wrong, own)).status).to.equal(400);
        expect((await send('DELETE', one.registration_client_uri, undefined, own)).status).to.equal(204);
        expect((await send('GET', one.registration_client_uri, undefined, own)).status).to.equal(401);
        expect((await latchkey.admin('GET', `/apps/open/clients/${one.client_id}`)).status).to.equal(404);
        expect((await latchkey.admin('GET', `/apps/open/clients/${two.client_id}`)).status).to.equal(200);
      });

      it('does not reach clients that an operator made, nor those of another app', async () => {
        const { body } = await register('open');
        const token = body.registration_access_token;
        expect((await send('GET', `${endpoint('open')}/open`, undefined, token)).status).to.equal(401);
        expect(
          (await send('GET', `${endpoint('invited')}/${body.client_id}`, undefined, token)).status,
        ).to.equal(401);
      });
    });

    describe('limits', () => {
      it('an app takes so many and no more', async () => {
        await makeApp(latchkey, 'small', {
          settings: { dynamic_registration: 'open', registered_clients: { most: 2 } },
        });
        const answers = await atOnce(8, () => register('small'));
        expect(answers.filter(({ status }) => status === 201)).to.have.length(2);
        for (const { body } of answers.filter(({ status }) => status !== 201))
          expect(body.error).to.equal('access_denied');
      });

      it('a network registers so many an hour and no more', async () => {
        await makeApp(latchkey, 'slow', {
          settings: { dynamic_registration: 'open', registered_clients: { per_network_per_hour: 2 } },
        });
        const statuses = [];
        for (let i = 0; i < 4; i += 1) statuses.push((await register('slow')).status);
        expect(statuses).to.deep.equal([201, 201, 429, 429]);
      });
    });
  });
}
