import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { calculateJwkThumbprint, createRemoteJWKSet, type JWK, jwtVerify, SignJWT } from 'jose';
import * as oidc from 'openid-client';
import type { Agent } from '../support/agent.ts';
import { proof, proofKey, type ProofParts } from '../support/dpop.ts';
import {
  addressOf,
  authorize,
  type Bank,
  type BankClient,
  callResource,
  CALLBACK,
  expectBound,
  expectError,
  expectNoCode,
  holderOfCertificate,
  holderOfKey,
  openBank,
  push,
  redeem,
  send,
} from './bank.ts';

const now = (): number => Math.floor(Date.now() / 1000);

// fapi2-security-profile-final-test-plan[client_auth_type=private_key_jwt][openid=openid_connect][fapi_request_method=unsigned]
describe('FAPI 2.0 Security Profile Final', () => {
  let bank: Awaited<ReturnType<typeof openBank>>;
  before(async () => {
    bank = await openBank();
  });
  after(() => bank.latchkey.stop());

  for (const way of ['dpop', 'mtls'] as const)
    describe(`sender_constrain=${way}`, () => {
      let client: BankClient;
      let client2: BankClient;
      let agent: Agent;
      let tokens: any;

      before(async () => {
        [client, client2] = bank[way] as [BankClient, BankClient];
        agent = bank.latchkey.agent();
        const answer = await redeem(bank, client, await authorize(bank, client, agent));
        expect(answer.status, answer.text).to.equal(200);
        tokens = answer.body;
      });

      const coded = (more: Record<string, string | undefined> = {}) => authorize(bank, client, agent, more);
      const pushError = async (
        more: Record<string, string | undefined>,
        errors: string[],
        how: Parameters<typeof push>[3] = {},
      ): Promise<void> => expectError((await push(bank, client, more, how)).answer, errors);
      const refresh = (of: BankClient, headers?: Record<string, string>) =>
        send(bank, of, {
          url: bank.metadata['token_endpoint'],
          form: { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
          ...(headers ? { headers } : {}),
        });

      it('fapi2-security-profile-final-discovery-end-point-verification: names what the profile asks for, and nothing it forbids', () => {
        const { metadata } = bank as Bank;
        expect(metadata).to.include({
          issuer: bank.issuer,
          require_pushed_authorization_requests: true,
          authorization_response_iss_parameter_supported: true,
        });
        expect(metadata['response_types_supported']).to.deep.equal(['code']);
        expect(metadata['code_challenge_methods_supported']).to.deep.equal(['S256']);
        expect(metadata['token_endpoint_auth_methods_supported']).to.include('private_key_jwt');
        expect(metadata['grant_types_supported']).to.not.include.members(['implicit', 'password']);
        for (const name of [
          'token_endpoint_auth_signing_alg_values_supported',
          'dpop_signing_alg_values_supported',
          'id_token_signing_alg_values_supported',
        ]) {
          expect(metadata[name], name).to.be.an('array').that.includes('ES256');
          for (const weak of ['none', 'RS256', 'HS256']) expect(metadata[name], name).to.not.include(weak);
        }
        if (way === 'mtls') expect(metadata['tls_client_certificate_bound_access_tokens']).to.equal(true);
      });

      it('fapi2-security-profile-final-happy-flow: gives tokens that are bound to their client and work for it', async () => {
        const { code, verifier, response } = await coded({ state: 'a-state', nonce: 'a-nonce' });
        expect(response.get('state')).to.equal('a-state');
        // Either client can, side by side.
        for (const [who, of] of [
          [client, { code, verifier }],
          [client2, await authorize(bank, client2, bank.latchkey.agent(), { nonce: 'a-nonce' })],
        ] as const) {
          const { status, body, headers, text } = await redeem(bank, who, of);
          expect(status, text).to.equal(200);
          expect(headers.get('cache-control')).to.include('no-store');
          expect(body.token_type).to.match(who.holder.tokenType);
          await expectBound(who.holder, body.access_token);
          const keys = createRemoteJWKSet(new URL(bank.metadata['jwks_uri']));
          const { payload } = await jwtVerify(body.id_token, keys, {
            issuer: bank.issuer,
            audience: who.clientId,
            algorithms: ['ES256', 'PS256'],
          });
          expect(payload).to.include({ nonce: 'a-nonce', sub: bank.userId });
          const answer = await callResource(bank, who.holder, body.access_token);
          expect([answer.status, answer.body.sub], answer.text).to.deep.equal([200, bank.userId]);
        }
      });

      it('fapi2-security-profile-final-user-rejects-authentication: comes back as access_denied, with state and iss', async () => {
        const person = bank.latchkey.agent();
        const { url } = await push(bank, client, { state: 'a-state' });
        const back = await person.submit(await person.open(url), {}, { ending: '/cancel' });
        expect(back.url.startsWith(`${CALLBACK}?`), back.url).to.equal(true);
        const response = Object.fromEntries(new URL(back.url).searchParams);
        expect(response).to.include({ error: 'access_denied', state: 'a-state', iss: bank.issuer });
      });

      it('fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client: another client gets nothing for it', async () => {
        const one = await coded();
        expectError(await redeem(bank, client2, one), ['invalid_grant']);
        expect((await redeem(bank, client, one)).status, 'its own client').to.equal(200);
      });

      it('fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second: is invalid_grant', async () => {
        const one = await coded();
        expect((await redeem(bank, client, one)).status).to.equal(200);
        await pause(1100);
        expectError(await redeem(bank, client, one), ['invalid_grant']);
      });

      it('fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code: is invalid_grant', async () => {
        const one = await coded();
        await bank.latchkey.sql(`update ephemeral set expires_at = now() where key like 'code:%'`);
        expectError(await redeem(bank, client, one), ['invalid_grant']);
      });

      it('fapi2-security-profile-final-ensure-holder-of-key-required: no token without it, no refresh, no resource', async () => {
        const none = { headers: {} };
        const refused = ['invalid_grant', 'invalid_request', 'invalid_client', 'invalid_dpop_proof'];
        expectError(await redeem(bank, client, await coded(), none), refused);
        expectError(await refresh(client, {}), refused);
        for (const scheme of ['Bearer', 'DPoP'])
          expect(
            (await callResource(bank, client.holder, tokens.access_token, { scheme, headers: {} })).status,
            scheme,
          ).to.be.oneOf([400, 401]);
        const stranger = way === 'dpop' ? holderOfKey(await proofKey()) : holderOfCertificate('other');
        expect((await callResource(bank, stranger, tokens.access_token)).status).to.equal(401);
        expect((await callResource(bank, client.holder, tokens.access_token)).status).to.equal(200);
      });

      it('fapi2-security-profile-final-par-attempt-reuse-request_uri: a reference that led to a code leads to no other', async () => {
        const { url } = await coded();
        expectNoCode(bank, await agent.open(url), [
          'invalid_request_uri',
          'invalid_request',
          'access_denied',
        ]);
      });

      it('fapi2-security-profile-final-par-attempt-to-use-expired-request_uri: is refused', async () => {
        const { answer, url } = await push(bank, client);
        expect(answer.body.expires_in).to.be.lessThan(600);
        await bank.latchkey.sql(`update ephemeral set expires_at = now() where key like 'par:%'`);
        expectNoCode(bank, await agent.open(url), ['invalid_request_uri']);
      });

      it('fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client: is refused', async () => {
        const { answer } = await push(bank, client);
        const page = await agent.open(addressOf(bank, client2, answer.body.request_uri));
        expectNoCode(bank, page, ['invalid_request', 'invalid_request_uri', 'invalid_request_object']);
      });

      it('fapi2-security-profile-final-par-ensure-pkce-required: is refused where it is pushed', () =>
        pushError({ code_challenge: undefined, code_challenge_method: undefined }, ['invalid_request']));

      it('fapi2-security-profile-final-par-plain-pkce-rejected: is refused where it is pushed', () =>
        pushError({ code_challenge_method: 'plain' }, ['invalid_request']));

      it('fapi2-security-profile-final-incorrect-pkce-code-verifier-rejected: is invalid_grant', async () => {
        const { code } = await coded();
        expectError(await redeem(bank, client, { code, verifier: oidc.randomPKCECodeVerifier() }), [
          'invalid_grant',
        ]);
      });

      /** At both endpoints where the client authenticates. */
      async function expectAssertionRefused(assertion: Record<string, unknown>): Promise<void> {
        const errors = ['invalid_client', 'invalid_request'];
        await pushError({}, errors, { assertion });
        const one = await coded();
        expectError(await redeem(bank, client, one, { assertion }), errors);
        expect((await redeem(bank, client, one)).status, 'the right one').to.equal(200);
      }

      it('fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails: at PAR and at the token endpoint', () =>
        expectAssertionRefused({ aud: 'https://other.example' }));

      it('fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails: at both', () =>
        expectAssertionRefused({ exp: now() - 300, iat: now() - 360 }));

      it('fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails: at both', () =>
        expectAssertionRefused({ sub: undefined }));

      for (const [name, audience] of [
        ['token-endpoint-url', () => bank.metadata['token_endpoint']],
        ['par-endpoint-url', () => bank.metadata['pushed_authorization_request_endpoint']],
        ['array', () => [bank.issuer]],
      ] as const)
        it(`fapi2-security-profile-final-par-test-${name}-as-audience-fails: only the issuer as a string will do`, () =>
          pushError({}, ['invalid_client', 'invalid_request'], { assertion: { aud: audience() } }));

      it('fapi2-security-profile-final-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted: also its iat', async () => {
        const assertion = { nbf: now() + 8, iat: now() + 8 };
        const { answer } = await push(bank, client, {}, { assertion });
        expect(answer.status, answer.text).to.equal(201);
      });

      it('fapi2-security-profile-final-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails: also its iat', async () => {
        for (const claim of ['nbf', 'iat'])
          await pushError({}, ['invalid_client', 'invalid_request'], {
            assertion: { exp: now() + 240, [claim]: now() + 90 },
          });
      });

      it('fapi2-security-profile-final-access-token-type-header-case-sensitivity: the scheme is written as one likes', async () => {
        const { scheme } = client.holder;
        for (const written of [scheme, scheme.toLowerCase(), scheme.toUpperCase()]) {
          const answer = await callResource(bank, client.holder, tokens.access_token, { scheme: written });
          expect([written, answer.status], answer.text).to.deep.equal([written, 200]);
        }
      });

      for (const [name, type] of [
        ['token', 'token'],
        ['code-idtoken', 'code id_token'],
      ] as const)
        it(`fapi2-security-profile-final-ensure-response-type-${name}-fails: is refused where it is pushed`, () =>
          pushError({ response_type: type }, [
            'unsupported_response_type',
            'invalid_request',
            'unauthorized_client',
          ]));

      it('fapi2-security-profile-final-refresh-token: is good for its client and holder, again and again', async () => {
        expectError(await refresh(client2), ['invalid_grant']);
        for (const _ of [1, 2]) {
          const next = await refresh(client);
          expect(next.status, next.text).to.equal(200);
          // §5.3.2.1: no rotation, but in extraordinary circumstances.
          expect(next.body.refresh_token ?? tokens.refresh_token).to.equal(tokens.refresh_token);
          await expectBound(client.holder, next.body.access_token);
          expect((await callResource(bank, client.holder, next.body.access_token)).status).to.equal(200);
        }
      });

      for (const name of ['nonce', 'state'])
        it(`fapi2-security-profile-final-ensure-authorization-request-with-long-${name}: comes back whole`, async () => {
          const long = 'x1~'.repeat(128);
          const one = await coded({ [name]: long });
          const { body, status, text } = await redeem(bank, client, one);
          expect(status, text).to.equal(200);
          const { nonce } = JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString());
          expect(name === 'nonce' ? nonce : one.response.get('state')).to.equal(long);
        });

      if (way === 'mtls') return;

      it('fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails: at PAR and at the token endpoint', async () => {
        const other = await proofKey();
        const dpop_jkt = await calculateJwkThumbprint(other.publicJwk as JWK);
        await pushError({ dpop_jkt }, ['invalid_dpop_proof', 'invalid_request']);
        // Bound to the key that was shown when it was pushed.
        const one = await coded();
        const headers = { dpop: await proof(other, { htu: bank.metadata['token_endpoint'] }) };
        expectError(await redeem(bank, client, one, { headers }), ['invalid_grant', 'invalid_dpop_proof']);
      });

      it('fapi2-security-profile-final-dpop-negative-tests: a proof that is wrong in any way gets nothing', async () => {
        const key = await proofKey();
        const htu: string = bank.metadata['userinfo_endpoint'];
        const one = await redeem(
          bank,
          { ...client, holder: holderOfKey(key) },
          await authorize(bank, { ...client, holder: holderOfKey(key) }, agent),
        );
        expect(one.status, one.text).to.equal(200);
        const token: string = one.body.access_token;
        const good = { htm: 'GET', htu, token };
        const leftOut = { iat: undefined, jti: undefined, htm: undefined, htu: undefined } as object;
        const bad: [string, ProofParts][] = [
          ['of another method', { ...good, htm: 'POST' }],
          ['for another address', { ...good, htu: bank.metadata['token_endpoint'] }],
          ['of ten minutes ago', { ...good, iat: now() - 600 }],
          ['of ten minutes ahead', { ...good, iat: now() + 600 }],
          ['of another type', { ...good, typ: 'JWT' }],
          ['without ath', { htm: 'GET', htu }],
          ['with the ath of another token', { ...good, token: tokens.access_token }],
          ...Object.keys(leftOut).map((name): [string, ProofParts] => [
            `without ${name}`,
            { ...good, [name]: undefined } as unknown as ProofParts,
          ]),
        ];
        const ask = (dpop: string) => callResource(bank, client.holder, token, { headers: { dpop } });
        for (const [what, parts] of bad) {
          const answer = await ask(await proof(key, parts));
          expect(answer.status, what).to.be.oneOf([400, 401]);
        }
        const claims = { htm: 'GET', htu, iat: now(), jti: oidc.randomNonce() };
        const sign = (header: object, by: Parameters<SignJWT['sign']>[0]) =>
          new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', ...header }).sign(by);
        const weak = await proofKey('RS256');
        for (const [what, dpop] of [
          ['by RS256', await sign({ alg: 'RS256', jwk: weak.publicJwk }, weak.privateKey)],
          [
            'by a secret',
            await sign({ alg: 'HS256', jwk: key.publicJwk }, Buffer.from(JSON.stringify(key.publicJwk))),
          ],
          ['without a key', await sign({}, key.privateKey)],
          ['by another key than it names', await sign({ jwk: (await proofKey()).publicJwk }, key.privateKey)],
          ['with a private key in it', await sign({ jwk: { ...key.publicJwk, d: 'AA' } }, key.privateKey)],
        ] as const)
          expect((await ask(dpop)).status, what).to.be.oneOf([400, 401]);
        const once = await proof(key, good);
        expect([(await ask(once)).status, (await ask(once)).status], 'used again').to.deep.equal([200, 401]);
      });
    });
});
