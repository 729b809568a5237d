import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { UnsecuredJWT } from 'jose';
import type { Agent, Page } from '../support/agent.ts';
import { PASSWORD, REDIRECT } from '../support/sign-in.ts';
import { call } from '../support/token-calls.ts';
import {
  authorizationRequest,
  authorize,
  checkTokens,
  EMAIL,
  expectErrorPage,
  type Flow,
  flow,
  isSignIn,
  PROFILE,
  redeem,
  responseOf,
  signInOn,
  soon,
  startSubject,
  type Subject,
  tokenCall,
  userinfo,
  verifiedIdToken,
} from './provider-under-test.ts';

const SCOPES: Record<string, string[]> = {
  profile: [...Object.keys(PROFILE).filter((name) => name !== 'address'), 'locale', 'updated_at'],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
};

describe('OpenID Connect Core, Basic profile', () => {
  let subject: Subject;
  before(async () => {
    subject = await startSubject();
  });
  after(() => subject.latchkey.stop());

  // oidcc-basic-certification-test-plan and oidcc-formpost-basic-certification-test-plan: the same modules.
  for (const [plan, mode] of [
    ['basic', {}],
    ['formpost-basic', { response_mode: 'form_post' }],
  ] as [string, Record<string, string>][])
    describe(`${plan} certification test plan`, () => {
      let agent: Agent;
      let signedIn: Flow;
      type Parameters = Record<string, string | undefined>;
      const run = (browser: Agent, more: Parameters = {}): Promise<Flow> =>
        flow(subject, browser, { ...mode, ...more });
      const newAgent = (): Agent => subject.latchkey.agent();

      before(async () => {
        agent = newAgent();
        signedIn = await run(agent);
      });

      /** The sign-in page of a new browser, and the request it belongs to. */
      async function seeSignIn(more: Parameters): Promise<Page> {
        const browser = newAgent();
        const request = authorizationRequest(subject, { ...mode, ...more });
        const page = await browser.open(request.url);
        expect(isSignIn(page), page.url).to.equal(true);
        const response = responseOf(await signInOn(browser, page), request);
        const answer = await redeem(subject, response['code']!);
        await checkTokens(subject, answer, { request, clientId: subject.client.clientId });
        return page;
      }

      async function expectAskedAgain(more: Parameters): Promise<void> {
        const browser = newAgent();
        const first = await run(browser, more);
        await soon(2100);
        const second = await run(browser, more);
        expect(second.wasAsked).to.equal(true);
        expect(second.claims['auth_time']).to.be.greaterThan(first.claims['auth_time'] as number);
        expect(second.claims.sub).to.equal(first.claims.sub);
      }

      async function expectRefused(more: Parameters, errors: string[]): Promise<void> {
        const request = authorizationRequest(subject, { ...mode, ...more });
        const response = responseOf(await agent.open(request.url), request);
        expect(errors, JSON.stringify(response)).to.include(response['error']);
        expect(response).to.not.have.property('code');
      }

      it('oidcc-server: the code flow gives an ID token and an access token that works', async () => {
        expect(signedIn.wasAsked).to.equal(true);
        const answer = await userinfo(subject, signedIn.tokens.access_token);
        expect([answer.status, answer.body.sub]).to.deep.equal([200, signedIn.claims.sub]);
        expect(subject.metadata['token_endpoint_auth_methods_supported']).to.include.members([
          'client_secret_basic',
          'client_secret_post',
        ]);
      });

      it('oidcc-response-type-missing: is refused, at the redirect URI or on a page', async () => {
        const request = authorizationRequest(subject, { ...mode, response_type: undefined });
        const page = await agent.open(request.url);
        if (page.url.startsWith(subject.issuer) && page.status === 400)
          return expectErrorPage(page, subject.issuer);
        const response = responseOf(page, request);
        expect(['invalid_request', 'unsupported_response_type']).to.include(response['error']);
      });

      it('oidcc-idtoken-signature: an ID token is signed with RS256 by a published key that its kid names', async () => {
        const claims = await verifiedIdToken(subject, signedIn.tokens.id_token, subject.client.clientId);
        expect(claims.sub).to.equal(subject.userId);
      });

      it('oidcc-idtoken-unsigned: no ID token is ever unsigned, and nothing says it could be', async () => {
        expect(subject.metadata['id_token_signing_alg_values_supported']).to.include('RS256');
        expect(subject.metadata['id_token_signing_alg_values_supported']).to.not.include('none');
      });

      it('oidcc-userinfo-get: answers JSON to a bearer token in the header', async () => {
        const answer = await userinfo(subject, signedIn.tokens.access_token);
        expect([answer.status, answer.body.sub]).to.deep.equal([200, subject.userId]);
        expect(answer.headers.get('content-type')).to.match(/^application\/json/);
      });

      it('oidcc-userinfo-post-header: answers a POST with a bearer token in the header', async () => {
        const answer = await call(subject.metadata['userinfo_endpoint'], {
          method: 'POST',
          headers: { authorization: `Bearer ${signedIn.tokens.access_token}` },
        });
        expect([answer.status, answer.body?.sub]).to.deep.equal([200, subject.userId]);
      });

      it('oidcc-userinfo-post-body: answers a POST with the token in the form', async () => {
        const answer = await call(subject.metadata['userinfo_endpoint'], {
          method: 'POST',
          body: new URLSearchParams({ access_token: signedIn.tokens.access_token }),
        });
        expect([answer.status, answer.body?.sub], answer.text).to.deep.equal([200, subject.userId]);
      });

      it('oidcc-ensure-request-without-nonce-succeeds-for-code-flow: and the ID token has none', async () => {
        const { claims } = await run(agent, { nonce: undefined });
        expect(claims).to.not.have.property('nonce');
      });

      for (const scope of Object.keys(SCOPES))
        it(`oidcc-scope-${scope}: gives exactly the claims of the scope, at userinfo`, async () => {
          const { tokens, claims } = await run(agent, { scope: `openid ${scope}` });
          const { body } = await userinfo(subject, tokens.access_token);
          expect(Object.keys(body)).to.have.members(['sub', 'app_id', ...SCOPES[scope]!]);
          expect(body.sub).to.equal(claims.sub);
          if (scope !== 'profile') return;
          expect(body).to.deep.include({ name: PROFILE.name, birthdate: PROFILE.birthdate });
          expect(body.updated_at).to.be.a('number');
        });

      it('oidcc-scope-all: gives the claims of all scopes together, with their types', async () => {
        const { tokens } = await run(agent, { scope: `openid ${Object.keys(SCOPES).join(' ')}` });
        const { body } = await userinfo(subject, tokens.access_token);
        expect(body).to.deep.include({ ...PROFILE, email: EMAIL, email_verified: true, locale: 'en-GB' });
        expect(body).to.include({ phone_number: '+442079460000', phone_number_verified: false });
      });

      it('oidcc-ensure-other-scope-order-succeeds: openid need not come first', async () => {
        const { tokens } = await run(agent, { scope: 'email openid' });
        expect((await userinfo(subject, tokens.access_token)).body.email).to.equal(EMAIL);
      });

      it('oidcc-alternate-happy-flow: neither the order of scopes nor that of parameters matters', async () => {
        const request = authorizationRequest(subject, { ...mode, scope: 'email openid' });
        const turned = new URLSearchParams(Object.entries(request.parameters).toReversed());
        const page = await agent.open(`${subject.metadata['authorization_endpoint']}?${turned}`);
        const answer = await redeem(subject, responseOf(page, request)['code']!);
        await checkTokens(subject, answer, { request, clientId: subject.client.clientId });
      });

      for (const display of ['page', 'popup'])
        it(`oidcc-display-${display}: shows a page to sign in on and goes on`, async () => {
          await seeSignIn({ display });
        });

      it('oidcc-prompt-login: asks who has signed in again, and says when', () =>
        expectAskedAgain({ prompt: 'login' }));

      it('oidcc-prompt-none-not-logged-in: answers login_required without a page', async () => {
        const { response, wasAsked } = await authorize(subject, newAgent(), { ...mode, prompt: 'none' });
        expect(wasAsked).to.equal(false);
        expect(['login_required', 'interaction_required']).to.include(response['error']);
        expect(response).to.not.have.property('code');
      });

      it('oidcc-prompt-none-logged-in: answers without a page, about the same sign-in', async () => {
        const { claims, wasAsked } = await run(agent, { prompt: 'none' });
        expect(wasAsked).to.equal(false);
        expect(claims.sub).to.equal(signedIn.claims.sub);
        expect(claims['auth_time']).to.equal(signedIn.claims['auth_time']);
      });

      it('oidcc-max-age-1: asks again when the sign-in is older than a second', () =>
        expectAskedAgain({ max_age: '1' }));

      it('oidcc-max-age-10000: asks nobody who has just signed in, and says when that was', async () => {
        const { claims, wasAsked } = await run(agent, { max_age: '10000' });
        expect(wasAsked).to.equal(false);
        expect(claims['auth_time']).to.equal(signedIn.claims['auth_time']);
      });

      it('oidcc-ensure-request-with-unknown-parameter-succeeds: it is ignored', async () => {
        await run(agent, { extra: 'foobar' });
      });

      it('oidcc-id-token-hint: with prompt=none goes on without a page for whom it names', async () => {
        const { claims, wasAsked } = await run(agent, {
          prompt: 'none',
          id_token_hint: signedIn.tokens.id_token,
        });
        expect([wasAsked, claims.sub]).to.deep.equal([false, signedIn.claims.sub]);
      });

      it('oidcc-login-hint: the page begins with it', async () => {
        const page = await seeSignIn({ login_hint: 'buffy@suite.example' });
        expect(page.html).to.include('value="buffy@suite.example"');
      });

      it('oidcc-ui-locales: the page is in the first language it knows, and an unknown one does no harm', async () => {
        expect((await seeSignIn({ ui_locales: 'se' })).html).to.include('lang="en"');
        expect((await seeSignIn({ ui_locales: 'se fr' })).html).to.include('lang="fr"');
      });

      it('oidcc-claims-locales: does no harm', async () => {
        const { tokens } = await run(agent, { scope: 'openid profile', claims_locales: 'se' });
        expect((await userinfo(subject, tokens.access_token)).body.name).to.equal(PROFILE.name);
      });

      it('oidcc-ensure-request-with-acr-values-succeeds: and the ID token names what was reached', async () => {
        const [reached, beyond] = subject.metadata['acr_values_supported'];
        for (const acr_values of [reached, `${beyond} ${reached}`, '1 2'])
          expect((await run(agent, { acr_values })).claims['acr'], acr_values).to.equal(reached);
      });

      it('oidcc-codereuse: a code used twice is invalid_grant', async () => {
        const { response } = await run(agent);
        const again = await redeem(subject, response['code']!);
        expect([again.status, again.body.error]).to.deep.equal([400, 'invalid_grant']);
      });

      it('oidcc-codereuse-30seconds: also half a minute later, and what it gave works no more', async () => {
        const { response, tokens } = await run(agent);
        expect((await userinfo(subject, tokens.access_token)).status).to.equal(200);
        // Half a minute passes for everything that is kept of codes.
        await subject.latchkey.sql(`update spent set spent_at = spent_at - interval '30 seconds',
          expires_at = expires_at - interval '30 seconds' where app_id = 'suite'`);
        await subject.latchkey.sql(`update ephemeral set expires_at = expires_at - interval '30 seconds'`);
        const again = await redeem(subject, response['code']!);
        expect([again.status, again.body.error]).to.deep.equal([400, 'invalid_grant']);
        expect((await userinfo(subject, tokens.access_token)).status).to.equal(401);
      });

      it('oidcc-ensure-registered-redirect-uri: another one is an error on a page, and nothing is sent there', async () => {
        for (const redirect_uri of [`${REDIRECT}/${randomBytes(8).toString('hex')}`, `${REDIRECT}?more=1`])
          expectErrorPage(
            await agent.open(authorizationRequest(subject, { ...mode, redirect_uri }).url),
            subject.issuer,
          );
      });

      it('oidcc-ensure-post-request-succeeds: signed in or not, from a page of another site', async () => {
        for (const browser of [agent, newAgent()]) {
          const request = authorizationRequest(subject, mode);
          let page = await browser.open(subject.metadata['authorization_endpoint'], {
            method: 'POST',
            headers: { origin: 'https://suite.example' },
            body: new URLSearchParams(request.parameters),
          });
          if (browser !== agent) page = await signInOn(browser, page);
          const answer = await redeem(subject, responseOf(page, request)['code']!);
          await checkTokens(subject, answer, { request, clientId: subject.client.clientId });
        }
      });

      it('oidcc-server-client-secret-post: a client may send its secret in the form, once it is set so', async () => {
        const { clientId, secret } = subject.postClient;
        const request = authorizationRequest(subject, { ...mode, client_id: clientId });
        const code = responseOf(await agent.open(request.url), request)['code']!;
        const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT };
        const answer = await call(subject.metadata['token_endpoint'], {
          method: 'POST',
          body: new URLSearchParams({ ...form, client_id: clientId, client_secret: secret! }),
        });
        await checkTokens(subject, answer, { request, clientId });
      });

      it('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported: rejected', async () => {
        expect(subject.metadata['request_uri_parameter_supported']).to.equal(false);
        await expectRefused({ request_uri: 'https://suite.example/request.jwt' }, [
          'request_uri_not_supported',
        ]);
      });

      const requestObject = (claims: Record<string, string>): string =>
        new UnsecuredJWT(claims).setIssuer(subject.client.clientId).setAudience(subject.issuer).encode();

      it('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported: rejected', async () => {
        const { parameters } = authorizationRequest(subject, mode);
        await expectRefused({ ...parameters, request: requestObject(parameters) }, ['request_not_supported']);
        expect(subject.metadata['request_parameter_supported']).to.not.equal(true);
      });

      it('oidcc-ensure-request-object-with-redirect-uri: what is unsupported vouches for no redirect URI', async () => {
        const { parameters } = authorizationRequest(subject, mode);
        const request = authorizationRequest(subject, {
          ...parameters,
          redirect_uri: `${REDIRECT}/invalid`,
          request: requestObject(parameters),
        });
        expectErrorPage(await agent.open(request.url), subject.issuer);
      });

      it('oidcc-claims-essential: a claim asked for by name comes from userinfo', async () => {
        const claims = JSON.stringify({ userinfo: { name: { essential: true } } });
        const { tokens } = await run(agent, { claims });
        const { body } = await userinfo(subject, tokens.access_token);
        expect(body).to.have.all.keys('sub', 'app_id', 'name');
        expect(body.name).to.equal(PROFILE.name);
      });

      it('oidcc-refresh-token: works for its client, about the same sign-in, and for no other', async () => {
        const first = await run(agent, { scope: 'openid offline_access', prompt: 'consent' });
        expect(first.tokens.refresh_token).to.match(/^[\x20-\x7e]+$/);
        const form = { grant_type: 'refresh_token', refresh_token: first.tokens.refresh_token };
        const stolen = await tokenCall(subject, subject.client2, form);
        expect([stolen.status, stolen.body.error]).to.deep.equal([400, 'invalid_grant']);
        const renewed = await tokenCall(subject, subject.client, form);
        expect(renewed.status, renewed.text).to.equal(200);
        expect(renewed.body.access_token).to.not.equal(first.tokens.access_token);
        expect((await userinfo(subject, renewed.body.access_token)).status).to.equal(200);
        // OIDC Core §12.2.
        const claims = await verifiedIdToken(subject, renewed.body.id_token, subject.client.clientId);
        for (const name of ['iss', 'sub', 'aud', 'azp', 'auth_time'])
          expect(claims[name], name).to.deep.equal(first.claims[name]);
      });

      it('oidcc-ensure-request-with-valid-pkce-succeeds: and binds the code, also of a client that need not', async () => {
        const code_verifier = randomBytes(32).toString('base64url');
        const code_challenge = createHash('sha256').update(code_verifier).digest('base64url');
        const pkce = { ...mode, code_challenge, code_challenge_method: 'S256' };
        const { request, response } = await authorize(subject, agent, pkce);
        const answer = await redeem(subject, response['code']!, { code_verifier });
        await checkTokens(subject, answer, { request, clientId: subject.client.clientId });
        const second = await authorize(subject, agent, pkce);
        const without = await redeem(subject, second.response['code']!);
        expect([without.status, without.body.error]).to.deep.equal([400, 'invalid_grant']);
      });
    });

  it('a client that is not exempt can not leave PKCE out: the exemption is one client’s', async () => {
    const made = await subject.latchkey.admin('POST', '/apps/suite/clients', {
      name: 'Strict',
      type: 'web',
      redirect_uris: [REDIRECT],
    });
    const request = authorizationRequest(subject, { client_id: made.body.client_id });
    const response = responseOf(await subject.latchkey.agent().open(request.url), request);
    expect(response['error']).to.equal('invalid_request');
  });

  it('every page works in a browser engine without modern JavaScript: forms with buttons, no script they need', async () => {
    const agent = subject.latchkey.agent();
    const request = authorizationRequest(subject, { response_mode: 'form_post' });
    const page = await agent.open(request.url);
    const wrong = await agent.submit(
      page,
      { email: EMAIL, password: 'not hers, of course' },
      { ending: '/password' },
    );
    const posting = await agent.submit(wrong, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    const sources = new Set<string>();
    for (const { html } of [page, wrong, posting]) {
      expect(html).to.match(/<button\b[^>]*type="submit"|<input\b[^>]*type="submit"/);
      for (const [, attributes, script] of html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g)) {
        const [, src] = /\bsrc="([^"]+)"/.exec(attributes!) ?? [];
        sources.add(src ? await (await agent.send(src)).text() : script!);
      }
    }
    expect(sources.size, 'the scripts of our pages and of passkeys, and the one that posts').to.equal(3);
    // What engines that stopped at ECMAScript 5 can not even read.
    for (const script of sources)
      expect(script.replaceAll(/\/\/.*$/gm, '')).to.not.match(
        /=>|`|\.\.\.|\?\.[a-z]|\?\?|\bof\b|\b(const|let|async|await|class|import)\s/,
      );
  });
});
