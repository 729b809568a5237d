import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as oidc from 'openid-client';
import { digestOf } from '../../src/kernel/secret.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signedIn,
  signInByPassword,
  SIGNED_OUT,
  type TestClient,
} from '../support/sign-in.ts';

for (const driver of drivers) {
  for (const kind of ['shared', 'own'] as const) {
    describe(`any relying party, at the ${kind} issuer, on ${driver}`, () => {
      let latchkey: TestLatchkey;
      let client: TestClient;
      let userId: string;

      before(async () => {
        latchkey = await startTestLatchkey({ driver });
        client = await makeApp(latchkey, 'shop');
        userId = await makeUser(latchkey, 'shop', 'ada@example.com', { profile: { name: 'Ada Lovelace' } });
      });
      after(() => latchkey.stop());

      it('signs in by password and gets an ID token for the client and an access token for the app', async () => {
        const { tokens } = await signedIn(latchkey, client, { email: 'ada@example.com', kind });
        const claims = tokens.claims()!;
        expect(claims).to.include({
          iss: issuerOf(latchkey, 'shop', kind),
          sub: userId,
          aud: 'shop',
          app_id: 'shop',
        });
        expect(claims['amr']).to.deep.equal(['pwd']);
        expect(claims).to.not.have.property('email');
        expect(decodeProtectedHeader(tokens.id_token!).alg).to.equal('RS256');
        const access = decodeJwt(tokens.access_token);
        expect(decodeProtectedHeader(tokens.access_token)).to.include({ typ: 'at+jwt', alg: 'RS256' });
        expect(access).to.include({
          iss: issuerOf(latchkey, 'shop', kind),
          sub: userId,
          aud: 'shop',
          client_id: 'shop',
          app_id: 'shop',
        });
      });

      it('puts iss into the authorization response, of success and of failure', async () => {
        const configuration = await discover(latchkey, client, kind);
        const silent = await authorizationRequest(configuration, { prompt: 'none' });
        const refused = new URL((await latchkey.agent().open(silent.url.href)).url);
        expect(refused.searchParams.get('error')).to.equal('login_required');
        expect(refused.searchParams.get('iss')).to.equal(issuerOf(latchkey, 'shop', kind));
        const { callback } = await signedIn(latchkey, client, { email: 'ada@example.com', kind });
        expect(new URL(callback).searchParams.get('iss')).to.equal(issuerOf(latchkey, 'shop', kind));
      });

      it('serves userinfo, introspection and revocation for the JWT access token, and stops when its grant is revoked', async () => {
        const { configuration, tokens } = await signedIn(latchkey, client, {
          email: 'ada@example.com',
          kind,
        });
        const info = await oidc.fetchUserInfo(configuration, tokens.access_token, userId);
        expect(info).to.include({ email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' });
        expect(await oidc.tokenIntrospection(configuration, tokens.access_token)).to.include({
          active: true,
          sub: userId,
          aud: 'shop',
          client_id: 'shop',
        });
        const grants = await latchkey.admin('GET', `/apps/shop/users/${userId}/grants`);
        for (const grant of grants.body.items)
          expect(
            (await latchkey.admin('DELETE', `/apps/shop/users/${userId}/grants/${grant.grant_id}`)).status,
          ).to.equal(204);
        expect(await oidc.tokenIntrospection(configuration, tokens.access_token)).to.deep.equal({
          active: false,
        });
        const refused = await fetch(configuration.serverMetadata().userinfo_endpoint!, {
          headers: { authorization: `Bearer ${tokens.access_token}` },
        });
        expect(refused.status).to.equal(401);
        await oidc.refreshTokenGrant(configuration, tokens.refresh_token!).then(
          () => expect.fail('the refresh token outlived its grant'),
          (error: { error?: string }) => expect(error.error).to.equal('invalid_grant'),
        );
      });

      it('introspects a refresh token, which ends at the same second whenever that is asked', async () => {
        const { configuration, tokens } = await signedIn(latchkey, client, {
          email: 'ada@example.com',
          kind,
        });
        // Within a second: what one answer takes longer than another carries it over no edge.
        const [{ ends }] = (await latchkey.sql(
          `update refresh_tokens set expires_at = date_trunc('second', expires_at) + interval '300 ms'
           where digest = $1 returning floor(extract(epoch from expires_at))::text as ends`,
          [digestOf(tokens.refresh_token!)],
        )) as [{ ends: string }];
        const said = new Set<unknown>();
        for (const until = Date.now() + 1200; Date.now() < until; await setTimeout(30)) {
          const { active, exp } = await oidc.tokenIntrospection(configuration, tokens.refresh_token!);
          expect(active).to.equal(true);
          said.add(exp);
        }
        expect([...said]).to.deep.equal([Number(ends)]);
      });

      it('revokes one access token alone: the refresh token still works', async () => {
        const { configuration, tokens } = await signedIn(latchkey, client, {
          email: 'ada@example.com',
          kind,
        });
        await oidc.tokenRevocation(configuration, tokens.access_token);
        expect((await oidc.tokenIntrospection(configuration, tokens.access_token)).active).to.equal(false);
        const next = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
        expect((await oidc.tokenIntrospection(configuration, next.access_token)).active).to.equal(true);
      });

      it('rotates refresh tokens and ends the family when a used one comes back after its successor was used', async () => {
        const { configuration, tokens } = await signedIn(latchkey, client, {
          email: 'ada@example.com',
          kind,
        });
        const second = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
        const retried = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
        expect(retried.refresh_token).to.equal(second.refresh_token);
        const third = await oidc.refreshTokenGrant(configuration, second.refresh_token!);
        for (const dead of [tokens.refresh_token!, third.refresh_token!]) {
          await oidc.refreshTokenGrant(configuration, dead).then(
            () => expect.fail('a dead refresh token worked'),
            (error: { error?: string }) => expect(error.error).to.equal('invalid_grant'),
          );
        }
        expect((await oidc.tokenIntrospection(configuration, third.access_token)).active).to.equal(false);
      });

      it('signs a second request in silently, and asks again after sign-out', async () => {
        const { agent, configuration, tokens } = await signedIn(latchkey, client, {
          email: 'ada@example.com',
          kind,
        });
        const again = await authorizationRequest(configuration, { prompt: 'none' });
        const silent = await agent.open(again.url.href);
        expect((await redeem(configuration, again, silent.url)).claims()!.sub).to.equal(userId);
        const out = oidc.buildEndSessionUrl(configuration, {
          id_token_hint: tokens.id_token!,
          post_logout_redirect_uri: SIGNED_OUT,
          state: 'bye',
        });
        const done = await agent.submit(await agent.open(out.href), { logout: 'yes' });
        expect(done.url).to.equal(`${SIGNED_OUT}?state=bye`);
        expect(agent.cookieNames()).to.not.include('lk_ses.shop');
        const third = await authorizationRequest(configuration, { prompt: 'none' });
        expect(new URL((await agent.open(third.url.href)).url).searchParams.get('error')).to.equal(
          'login_required',
        );
        expect((await oidc.tokenIntrospection(configuration, tokens.access_token)).active).to.equal(false);
      });

      it('requires PKCE with S256 of every client', async () => {
        const configuration = await discover(latchkey, client, kind);
        const { url } = await authorizationRequest(configuration);
        url.searchParams.delete('code_challenge');
        url.searchParams.delete('code_challenge_method');
        expect(new URL((await latchkey.agent().open(url.href)).url).searchParams.get('error')).to.equal(
          'invalid_request',
        );
        url.searchParams.set('code_challenge', 'x'.repeat(43));
        url.searchParams.set('code_challenge_method', 'plain');
        expect(new URL((await latchkey.agent().open(url.href)).url).searchParams.get('error')).to.equal(
          'invalid_request',
        );
      });

      it('gives a service account its own scopes, refuses any other, and stops it when its secret is revoked', async () => {
        const made = await latchkey.admin('POST', '/apps/shop/clients', {
          name: 'Worker',
          type: 'service',
          scopes: ['orders:read', 'orders:write'],
        });
        expect(made.status).to.equal(201);
        const service: TestClient = {
          appId: 'shop',
          clientId: made.body.client_id,
          secret: made.body.client_secret,
        };
        const configuration = await discover(latchkey, service, kind);
        const token = await oidc.clientCredentialsGrant(configuration, { scope: 'orders:read' });
        expect(decodeJwt(token.access_token)).to.include({
          sub: service.clientId,
          client_id: service.clientId,
          aud: 'shop',
          scope: 'orders:read',
          app_id: 'shop',
        });
        expect((await oidc.tokenIntrospection(configuration, token.access_token)).active).to.equal(true);
        await oidc.clientCredentialsGrant(configuration, { scope: 'admin' }).then(
          () => expect.fail('a foreign scope was given'),
          (error: { error?: string }) => expect(error.error).to.equal('invalid_scope'),
        );
        const userinfo = await fetch(configuration.serverMetadata().userinfo_endpoint!, {
          headers: { authorization: `Bearer ${token.access_token}` },
        });
        expect(userinfo.status).to.equal(401);
      });

      it('refuses a code, a refresh token and an access token at the other issuer', async () => {
        const other = kind === 'own' ? 'shared' : 'own';
        const configuration = await discover(latchkey, client, kind);
        const elsewhere = await discover(latchkey, client, other);
        const request = await authorizationRequest(configuration);
        const callback = new URL(
          (await signInByPassword(latchkey.agent(), request, 'ada@example.com', PASSWORD)).url,
        );
        const body = {
          grant_type: 'authorization_code',
          code: callback.searchParams.get('code')!,
          redirect_uri: 'http://localhost:1/callback',
          code_verifier: request.verifier,
        };
        const token = (endpoint: string, form: Record<string, string>): Promise<Response> =>
          fetch(endpoint, {
            method: 'POST',
            headers: { authorization: `Basic ${Buffer.from(`shop:${client.secret}`).toString('base64')}` },
            body: new URLSearchParams(form),
          });
        expect((await token(elsewhere.serverMetadata().token_endpoint!, body)).status).to.equal(400);
        const answer = await token(configuration.serverMetadata().token_endpoint!, body);
        expect(answer.status).to.equal(200);
        const tokens = (await answer.json()) as Record<string, string>;
        expect(
          (
            await token(elsewhere.serverMetadata().token_endpoint!, {
              grant_type: 'refresh_token',
              refresh_token: tokens['refresh_token']!,
            })
          ).status,
        ).to.equal(400);
        expect((await oidc.tokenIntrospection(elsewhere, tokens['access_token']!)).active).to.equal(false);
        const userinfo = await fetch(elsewhere.serverMetadata().userinfo_endpoint!, {
          headers: { authorization: `Bearer ${tokens['access_token']}` },
        });
        expect(userinfo.status).to.equal(401);
        expect(
          (
            await token(configuration.serverMetadata().token_endpoint!, {
              grant_type: 'refresh_token',
              refresh_token: tokens['refresh_token']!,
            })
          ).status,
        ).to.equal(200);
      });

      it('ends everything of a user who is disabled, within a second', async () => {
        const email = `grace-${kind}-${driver}@example.com`;
        const grace = await makeUser(latchkey, 'shop', email);
        const { agent, configuration, tokens } = await signedIn(latchkey, client, { email, kind });
        expect(
          (await latchkey.admin('PATCH', `/apps/shop/users/${grace}`, { disabled: true })).status,
        ).to.equal(200);
        expect((await oidc.tokenIntrospection(configuration, tokens.access_token)).active).to.equal(false);
        await oidc.refreshTokenGrant(configuration, tokens.refresh_token!).then(
          () => expect.fail('the refresh token outlived its user'),
          (error: { error?: string }) => expect(error.error).to.equal('invalid_grant'),
        );
        const silent = await authorizationRequest(configuration, { prompt: 'none' });
        expect(new URL((await agent.open(silent.url.href)).url).searchParams.get('error')).to.equal(
          'login_required',
        );
        const page = await signInByPassword(
          latchkey.agent(),
          await authorizationRequest(configuration),
          email,
        );
        expect(page.url).to.match(new RegExp(`^${latchkey.baseUrl}/`));
      });
    });
  }
}
