import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import * as oidc from 'openid-client';
import { formsOf } from '../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  issuerOf,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  type Request,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, call, post } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const SECOND = 'http://localhost:1/second';
const kinds = ['own', 'shared'] as const;

for (const driver of drivers) {
  describe(`authorization codes, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    /** Another client of the same app, exempt from PKCE, as conformance suites and old software need it. */
    let exempt: TestClient;
    /** One with two redirect URIs. */
    let two: TestClient;
    let spa: TestClient;
    let hasty: TestClient;

    const addClient = async (body: object): Promise<TestClient> => {
      const made = await latchkey.admin('POST', '/apps/shop/clients', { redirect_uris: [REDIRECT], ...body });
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      return { appId: 'shop', clientId: made.body.client_id, secret: made.body.client_secret };
    };

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      exempt = await addClient({ name: 'Old', type: 'web', settings: { pkce_required: false } });
      two = await addClient({ name: 'Two', type: 'web', redirect_uris: [REDIRECT, SECOND] });
      spa = await addClient({ name: 'Spa', type: 'spa' });
      hasty = await makeApp(latchkey, 'hasty', { settings: { code_ttl: 1 } });
      for (const appId of ['shop', 'hasty']) await makeUser(latchkey, appId, EMAIL);
    });
    after(() => latchkey.stop());

    const errorAt = (url: string): string | null => {
      expect(url.startsWith(`${REDIRECT}?`), url).to.equal(true);
      expect(new URL(url).searchParams.has('code'), url).to.equal(false);
      return new URL(url).searchParams.get('error');
    };
    const without = ({ url }: Request, ...names: string[]): string => {
      for (const name of names) url.searchParams.delete(name);
      return url.href;
    };

    for (const kind of kinds)
      it(`#4 at the ${kind} issuer need PKCE by S256 of every client that is not exempt, confidential or public`, async () => {
        for (const client of [shop, spa]) {
          const configuration = await discover(latchkey, client, kind);
          const request = () => authorizationRequest(configuration);
          const ask = async (url: string): Promise<string | null> =>
            errorAt((await latchkey.agent().open(url)).url);
          expect(await ask(without(await request(), 'code_challenge', 'code_challenge_method'))).to.equal(
            'invalid_request',
          );
          // RFC 7636 §4.3: a challenge without a method is plain.
          expect(await ask(without(await request(), 'code_challenge_method'))).to.equal('invalid_request');
          for (const change of [
            { code_challenge_method: 'plain' },
            { code_challenge_method: 's256' },
            { code_challenge_method: '' },
            { code_challenge: '' },
            { code_challenge: 'short' },
          ]) {
            const { url } = await authorizationRequest(configuration, change);
            expect(await ask(url.href), JSON.stringify(change)).to.equal('invalid_request');
          }
          expect(configuration.serverMetadata().code_challenge_methods_supported).to.deep.equal(['S256']);
        }
      });

    const codeFor = async (client: TestClient, kind: 'own' | 'shared', { pkce = true } = {}) => {
      const configuration = await discover(latchkey, client, kind);
      const request = await authorizationRequest(configuration);
      if (!pkce) without(request, 'code_challenge', 'code_challenge_method');
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      const code = new URL(url).searchParams.get('code')!;
      expect(code, url).to.be.a('string');
      const redeem = (
        more: Record<string, string>,
        { as = client, at = kind }: { as?: TestClient; at?: 'own' | 'shared' } = {},
      ): Promise<Answer> => {
        const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...more };
        const url = `${issuerOf(latchkey, client.appId, at)}/token`;
        if (as.secret) return post(url, as, form);
        return call(url, { method: 'POST', body: new URLSearchParams({ ...form, client_id: as.clientId }) });
      };
      return { redeem, verifier: request.verifier };
    };
    const expectInvalidGrant = (answer: Answer, what: string): void =>
      expect([answer.status, answer.body.error], what).to.deep.equal([
        400,
        'invalid_grant',
      ]) as unknown as void;

    for (const kind of kinds)
      it(`#5 at the ${kind} issuer are not to be had by leaving PKCE out on one side (CVE-2023-48228, CVE-2024-23647)`, async () => {
        for (const client of [shop, exempt, spa]) {
          const { redeem, verifier } = await codeFor(client, kind);
          for (const [what, more] of Object.entries({
            'no verifier': {},
            'an empty one': { code_verifier: '' },
            'one too short': { code_verifier: 'x' },
            'another one': { code_verifier: oidc.randomPKCECodeVerifier() },
            'the challenge': { code_verifier: await oidc.calculatePKCECodeChallenge(verifier) },
          })) {
            const answer = await redeem(more as Record<string, string>);
            expect(answer.status, what).to.equal(400);
            expect(answer.body.error, what).to.be.oneOf(['invalid_grant', 'invalid_request']);
          }
          // Nobody is locked out by a stranger's tries.
          const good = await redeem({ code_verifier: verifier });
          expect(good.status, good.text).to.equal(200);
        }
        // The challenge was stripped on its way here: the client that sends a verifier must not be served.
        const stripped = await codeFor(exempt, kind, { pkce: false });
        expectInvalidGrant(await stripped.redeem({ code_verifier: stripped.verifier }), 'stripped');
        const plain = await codeFor(exempt, kind, { pkce: false });
        expect((await plain.redeem({})).status, 'exempt, and without on both sides').to.equal(200);
      });

    for (const kind of kinds)
      it(`#6 at the ${kind} issuer are bound to their client, its redirect URI and their issuer`, async () => {
        const { redeem, verifier } = await codeFor(two, kind);
        const other = kind === 'own' ? 'shared' : 'own';
        const good = { code_verifier: verifier };
        expectInvalidGrant(await redeem(good, { as: shop }), 'another client');
        expectInvalidGrant(await redeem(good, { as: spa }), 'a public client');
        expectInvalidGrant(
          await redeem({ ...good, redirect_uri: SECOND }),
          'the other redirect URI of its own',
        );
        expectInvalidGrant(await redeem(good, { at: other }), 'the other issuer');
        const answer = await redeem(good);
        expect(answer.status, answer.text).to.equal(200);
      });

    for (const kind of kinds)
      it(`#10 #14 at the ${kind} issuer come, as errors do, with the name of the issuer and by a 303`, async () => {
        const configuration = await discover(latchkey, shop, kind);
        const { issuer } = configuration.serverMetadata();
        const named = (url: string): (string | null)[] => {
          const { hash, search } = new URL(url);
          // What asks for a token is answered where tokens would have gone.
          const said = new URLSearchParams(search || hash.slice(1));
          return [said.get('iss'), said.get('error')];
        };
        const agent = latchkey.agent();
        for (const [parameters, error] of [
          [{ prompt: 'none' }, 'login_required'],
          [{ response_type: 'token' }, 'unsupported_response_type'],
          [{ scope: 'openid', code_challenge_method: 'plain' }, 'invalid_request'],
        ] as const) {
          const { url } = await authorizationRequest(configuration, parameters);
          const response = await agent.send(url.href);
          expect(response.status, error).to.equal(303);
          expect(named(response.headers.get('location')!)).to.deep.equal([issuer, error]);
        }
        const page = await agent.open((await authorizationRequest(configuration)).url.href);
        const form = formsOf(page).find(({ action }) => action.endsWith('/password'))!;
        let response = await agent.send(form.action, {
          method: 'POST',
          headers: { origin: latchkey.baseUrl },
          body: new URLSearchParams({ ...form.fields, email: EMAIL, password: PASSWORD }),
        });
        let location = response.headers.get('location')!;
        for (; location.startsWith(latchkey.baseUrl); location = response.headers.get('location')!) {
          expect(response.status).to.equal(303);
          response = await agent.send(location);
        }
        expect([response.status, ...named(location)]).to.deep.equal([303, issuer, null]);
      });

    if (driver === 'postgres')
      it('are as old as the store says, however wrong the clock of whoever wrote them was', async () => {
        // The parameter that nobody knows has the library answer, which looks at a clock of its own.
        for (const more of [{}, { nobody_knows_this: '1' }]) {
          const { redeem, verifier } = await codeFor(shop, 'shared');
          await latchkey.sql(
            `update ephemeral set value = jsonb_set(value::jsonb, '{exp}', '1')::text where key like 'code:%' and app_id = 'shop'`,
          );
          const answer = await redeem({ code_verifier: verifier, ...more });
          expect(answer.status, answer.text).to.equal(200);
        }
      });

    for (const kind of kinds)
      it(`#8 at the ${kind} issuer live a minute unless the app says less, and nothing redeems them after that`, async () => {
        expect((await latchkey.admin('GET', '/apps/shop')).body.settings.code_ttl).to.equal(60);
        const late = await codeFor(hasty, kind);
        const { redeem, verifier } = await codeFor(shop, kind);
        if (driver === 'postgres') {
          const rows = await latchkey.sql<{ left: string }>(
            `select extract(epoch from expires_at - now()) as left from ephemeral where key like 'code:%' and app_id = 'shop'`,
          );
          expect(rows.length).to.be.greaterThan(0);
          for (const { left } of rows) expect(Number(left)).to.be.at.most(60);
          await latchkey.sql(
            `update ephemeral set expires_at = now() where key like 'code:%' and app_id = 'shop'`,
          );
          expectInvalidGrant(await redeem({ code_verifier: verifier }), 'a minute later');
        }
        // The other app gives them one second.
        await pause(1200);
        expectInvalidGrant(await late.redeem({ code_verifier: late.verifier }), 'a second later');
      });
  });
}
