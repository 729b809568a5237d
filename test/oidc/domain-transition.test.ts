import { expect } from 'chai';
import { refreshTokenGrant } from 'openid-client';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { agentAt, discoverAt, fetchAt, giveDomain, NameServers } from '../support/domain.ts';
import {
  authorizationRequest,
  issuerOf,
  makeApp,
  makeUser,
  redeem,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { introspect, redeemCode, refresh, userinfo } from '../support/token-calls.ts';

const EMAIL = 'ada@example.test';
const kinds = ['own', 'shared'] as const;
let numbers = 0;

for (const driver of drivers) {
  describe(`the transition to a custom domain on ${driver}`, () => {
    const names = new NameServers();
    let latchkey: TestLatchkey;

    before(async () => {
      latchkey = await startTestLatchkey({ driver, resolveTxt: names.resolveTxt });
    });
    after(() => latchkey?.stop());

    /** An app with a person who is signed in at both issuers it has before the domain. */
    async function livingApp() {
      const appId = `moving-${String.fromCharCode(97 + (numbers += 1))}`;
      const client = await makeApp(latchkey, appId);
      await makeUser(latchkey, appId, EMAIL);
      const before = {
        own: await signedIn(latchkey, client, { email: EMAIL, kind: 'own' }),
        shared: await signedIn(latchkey, client, { email: EMAIL, kind: 'shared' }),
      };
      return { appId, client, before, domain: `id.${appId}.example`, origin: `https://id.${appId}.example` };
    }

    const end = (appId: string) => latchkey.admin('PATCH', `/apps/${appId}/domain`, { old_issuers: 'ended' });

    async function codeAt(origin: string, client: TestClient) {
      const configuration = await discoverAt(latchkey, client, origin);
      const request = await authorizationRequest(configuration);
      const { url } = await signInByPassword(agentAt(latchkey, origin), request, EMAIL);
      return { configuration, request, callback: url };
    }

    it('keeps refreshing and verifying where people are signed in, and begins nothing there', async () => {
      const { appId, client, before, domain } = await livingApp();
      await giveDomain(latchkey, names, { appId, domain });
      for (const kind of kinds) {
        const { configuration, tokens } = before[kind];
        const issuer = issuerOf(latchkey, appId, kind);
        const fresh = await refreshTokenGrant(configuration, tokens.refresh_token!);
        expect(fresh.claims()!.iss).to.equal(issuer);
        expect((await userinfo(configuration, fresh.access_token)).status).to.equal(200);
        expect((await introspect(configuration, client, fresh.access_token)).body.active).to.equal(true);
        expect((await fetch(`${issuer}/.well-known/jwks.json`)).status).to.equal(200);
        const { url } = await authorizationRequest(configuration);
        for (const browser of [latchkey.agent(), before[kind].agent]) {
          const page = await browser.open(url.href);
          expect([page.status, page.url], kind).to.deep.equal([kind === 'own' ? 404 : 400, url.href]);
        }
      }
    });

    it('lets people sign in at both until told otherwise, where it was asked to', async () => {
      const { appId, client, before, domain, origin } = await livingApp();
      await giveDomain(latchkey, names, { appId, domain, oldIssuers: 'sign_in' });
      for (const kind of kinds) {
        const request = await authorizationRequest(before[kind].configuration);
        const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
        expect((await redeem(before[kind].configuration, request, url)).claims()).to.include({ aud: appId });
      }
      const there = await codeAt(origin, client);
      expect((await redeem(there.configuration, there.request, there.callback)).claims()!.iss).to.equal(
        origin,
      );
    });

    it('leads whoever has been there back from the domain, whichever way that is answered', async () => {
      const { appId, client, domain, origin } = await livingApp();
      await giveDomain(latchkey, names, { appId, domain });
      const configuration = await discoverAt(latchkey, client, origin);
      const agent = agentAt(latchkey, origin);
      expect(
        (await signInByPassword(agent, await authorizationRequest(configuration), EMAIL)).url,
      ).to.contain('code=');
      // With a parameter that nobody knows the protocol library answers, without it nobody asks it.
      const [here, there] = await Promise.all(
        ['', '&nobody_knows_this=1'].map(async (more) => {
          const { url } = await authorizationRequest(configuration);
          const { status, headers } = await agent.send(url.href + more);
          const led = new URL(headers.get('location')!);
          const cookies = headers.getSetCookie().map((line) => line.replace(/:\d\d GMT/, ''));
          return { status, cookies, led: [...led.searchParams.keys()], iss: led.searchParams.get('iss') };
        }),
      );
      expect(here).to.deep.equal(there);
      expect(here!.iss).to.equal(origin);
      for (const line of here!.cookies)
        expect(line).to.match(/^__Host-lk_ses\..*; path=\/; samesite=lax; secure; httponly;/);
    });

    it('ends when the operator says so: the old issuers know the app no more', async () => {
      const { appId, client, before, domain, origin } = await livingApp();
      const begun = await latchkey
        .agent()
        .open((await authorizationRequest(before.own.configuration)).url.href);
      await giveDomain(latchkey, names, { appId, domain });
      expect((await end(appId)).body).to.include({ old_issuers: 'ended', issuer: origin });
      expect((await end(appId)).status, 'twice is once').to.equal(200);
      for (const kind of kinds) {
        const { configuration, tokens } = before[kind];
        const answer = await refresh(configuration, client, tokens.refresh_token!);
        expect([answer.status, answer.body.error]).to.deep.equal([401, 'invalid_client']);
        expect((await userinfo(configuration, tokens.access_token)).status).to.equal(401);
      }
      const own = issuerOf(latchkey, appId, 'own');
      for (const path of [
        '/.well-known/openid-configuration',
        '/.well-known/jwks.json',
        '/authorize',
        '/logout',
      ])
        expect((await fetch(own + path)).status, path).to.equal(404);
      expect((await fetch(begun.url)).status, 'a page of before').to.equal(404);
      expect(
        (await latchkey.admin('PATCH', `/apps/${appId}/domain`, { old_issuers: 'refresh' })).body.code,
      ).to.equal('domains.transition_ended');
      const there = await codeAt(origin, client);
      expect((await redeem(there.configuration, there.request, there.callback)).claims()!.iss).to.equal(
        origin,
      );
    });

    it('takes no code or refresh token from one issuer to another, in either direction', async () => {
      const { appId, client, before, domain, origin } = await livingApp();
      await giveDomain(latchkey, names, { appId, domain, oldIssuers: 'sign_in' });
      const there = await codeAt(origin, client);
      const wrong = await redeemCode(before.own.configuration, client, {
        callback: there.callback,
        verifier: there.request.verifier,
      });
      expect([wrong.status, wrong.body.error]).to.deep.equal([400, 'invalid_grant']);
      const tokens = await redeem(there.configuration, there.request, there.callback);
      for (const kind of kinds) {
        const answer = await refresh(before[kind].configuration, client, tokens.refresh_token!);
        expect(answer.body.error, kind).to.equal('invalid_grant');
        expect((await userinfo(before[kind].configuration, tokens.access_token)).status, kind).to.equal(401);
      }
      const request = await authorizationRequest(before.own.configuration);
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      const failed = await redeem(
        there.configuration,
        { ...request },
        url.replace(/iss=[^&]+/, `iss=${encodeURIComponent(origin)}`),
      ).catch((error: { error?: string }) => error);
      expect((failed as { error?: string }).error).to.equal('invalid_grant');
      expect((await refreshTokenGrant(there.configuration, tokens.refresh_token!)).claims()!.iss).to.equal(
        origin,
      );
    });

    it('leads from one domain to the next, and does not reopen what had ended', async () => {
      const { appId, client, before, domain, origin } = await livingApp();
      await giveDomain(latchkey, names, { appId, domain });
      await end(appId);
      const first = await codeAt(origin, client);
      const tokens = await redeem(first.configuration, first.request, first.callback);
      const next = `login.${appId}.example`;
      await giveDomain(latchkey, names, { appId, domain: next });
      const shown = (await latchkey.admin('GET', `/apps/${appId}/domain`)).body;
      expect(shown).to.deep.include({ domain: next, old_issuer_urls: [origin] });
      const fresh = await refreshTokenGrant(first.configuration, tokens.refresh_token!);
      expect(fresh.claims()!.iss).to.equal(origin);
      const { url } = await authorizationRequest(first.configuration);
      expect((await fetchAt(latchkey)(url)).status, 'nothing begins at the domain that is left').to.equal(
        404,
      );
      const old = await refresh(before.own.configuration, client, before.own.tokens.refresh_token!);
      expect(old.body.error).to.equal('invalid_client');
      await end(appId);
      expect(await (await fetchAt(latchkey)(`${origin}/.well-known/jwks.json`)).text()).to.equal(
        'Not found\n',
      );
    });

    it('is undone by taking the domain away, which needs its name', async () => {
      const { appId, client, before, domain, origin } = await livingApp();
      await giveDomain(latchkey, names, { appId, domain });
      const there = await codeAt(origin, client);
      const tokens = await redeem(there.configuration, there.request, there.callback);
      const path = `/apps/${appId}/domain`;
      expect((await latchkey.admin('DELETE', path)).body.code).to.equal('domains.confirmation_missing');
      expect((await latchkey.admin('DELETE', `${path}?confirm=${domain}`)).status).to.equal(204);
      expect(await (await fetchAt(latchkey)(`${origin}/token`)).text()).to.equal('Not found\n');
      expect((await refresh(before.own.configuration, client, tokens.refresh_token!)).body.error).to.equal(
        'invalid_grant',
      );
      const request = await authorizationRequest(before.own.configuration);
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      expect((await redeem(before.own.configuration, request, url)).claims()!.iss).to.equal(
        issuerOf(latchkey, appId, 'own'),
      );
    });
  });
}
