import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { type Agent, formsOf, type Page } from '../support/agent.ts';
import { SIGNED_OUT } from '../support/sign-in.ts';
import {
  authorize,
  expectErrorPage,
  expectSignedOut,
  type Flow,
  flow,
  startSubject,
  type Subject,
} from './provider-under-test.ts';

// oidcc-rp-initiated-logout-certification-test-plan[response_type=code][client_registration=static_client]
describe('OpenID Connect RP-Initiated Logout 1.0', () => {
  let subject: Subject;
  let agent: Agent;
  let signedIn: Flow;
  before(async () => {
    subject = await startSubject();
  });
  after(() => subject.latchkey.stop());
  // Each module begins with the normal code flow, in a browser of its own.
  beforeEach(async () => {
    agent = subject.latchkey.agent();
    signedIn = await flow(subject, agent);
  });

  type Parameters = Record<string, string | undefined>;
  const state = randomBytes(12).toString('base64url');

  /** The end_session_endpoint with everything the suite sends, less what is undefined. */
  function endSession(more: Parameters = {}): Promise<Page> {
    const all: Parameters = {
      id_token_hint: signedIn.tokens.id_token,
      post_logout_redirect_uri: SIGNED_OUT,
      state,
      ...more,
    };
    const sent = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return agent.open(`${subject.metadata['end_session_endpoint']}?${new URLSearchParams(sent)}`);
  }

  /** The person's answer, where the page asks. */
  const confirm = (page: Page): Promise<Page> =>
    agent.submit(page, { logout: 'yes' }, { ending: '/logout/confirm' });

  async function expectStillSignedIn(): Promise<void> {
    const { response } = await authorize(subject, agent, { prompt: 'none' });
    expect(response, JSON.stringify(response)).to.have.property('code');
  }

  /** A page that says so, at the provider, and nobody signed in any more. */
  async function expectSignedOutHere(page: Page): Promise<void> {
    expect([page.status, page.url.startsWith(subject.issuer)], page.url).to.deep.equal([200, true]);
    expect(page.html).to.match(/signed out/i);
    expect(formsOf(page).some(({ action }) => action.endsWith('/logout/confirm'))).to.equal(false);
    await expectSignedOut(subject, agent);
  }

  it('oidcc-rp-initiated-logout-discovery-endpoint-verification: the end_session_endpoint is published', () => {
    expect(subject.metadata['end_session_endpoint']).to.equal(`${subject.issuer}/logout`);
    expect(subject.metadata['issuer']).to.equal(subject.issuer);
  });

  it('oidcc-rp-initiated-logout: leads to the post_logout_redirect_uri with the state, and has signed out', async () => {
    const { url } = await confirm(await endSession());
    expect(url).to.equal(`${SIGNED_OUT}?state=${state}`);
    await expectSignedOut(subject, agent);
  });

  it('oidcc-rp-initiated-logout: the request may also come as a form, from a page of another site', async () => {
    const page = await agent.open(subject.metadata['end_session_endpoint'], {
      method: 'POST',
      headers: { origin: 'https://suite.example' },
      body: new URLSearchParams({
        id_token_hint: signedIn.tokens.id_token,
        post_logout_redirect_uri: SIGNED_OUT,
        state,
      }),
    });
    expect((await confirm(page)).url).to.equal(`${SIGNED_OUT}?state=${state}`);
    await expectSignedOut(subject, agent);
  });

  it('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri: is an error on a page, and nothing has ended', async () => {
    const bad = `${SIGNED_OUT}/${randomBytes(8).toString('hex')}`;
    expectErrorPage(await endSession({ post_logout_redirect_uri: bad }), subject.issuer);
    await expectStillSignedIn();
  });

  it('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri: is one that is not registered', async () => {
    const added = `${SIGNED_OUT}?foo=bar`;
    expectErrorPage(await endSession({ post_logout_redirect_uri: added }), subject.issuer);
    await expectStillSignedIn();
  });

  it('oidcc-rp-initiated-logout-modified-id-token-hint: one with alg none is an error on a page', async () => {
    const unsigned = new UnsecuredJWT(decodeJwt(signedIn.tokens.id_token)).encode();
    expectErrorPage(await endSession({ id_token_hint: unsigned }), subject.issuer);
    await expectStillSignedIn();
  });

  it('oidcc-rp-initiated-logout-bad-id-token-hint: one that somebody else signed is an error on a page', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await new SignJWT(decodeJwt(signedIn.tokens.id_token))
      .setProtectedHeader({ alg: 'RS256' })
      .sign(privateKey);
    expectErrorPage(await endSession({ id_token_hint: forged }), subject.issuer);
    await expectStillSignedIn();
  });

  it('oidcc-rp-initiated-logout-no-id-token-hint: leads nowhere; the person is asked or told of an error', async () => {
    const page = await endSession({ id_token_hint: undefined });
    expect(page.url.startsWith(subject.issuer), page.url).to.equal(true);
    if (page.status === 400) return expectErrorPage(page, subject.issuer);
    // OpenID Connect RP-Initiated Logout 1.0 §2: also behind the question there is no redirect on a stranger's word.
    const done = await confirm(page);
    await expectSignedOutHere(done);
  });

  it('oidcc-rp-initiated-logout-no-params: signs out, and says so', async () => {
    const page = await endSession({
      id_token_hint: undefined,
      post_logout_redirect_uri: undefined,
      state: undefined,
    });
    await expectSignedOutHere(await confirm(page));
  });

  it('oidcc-rp-initiated-logout-no-post-logout-redirect-uri: signs out, and says so', async () => {
    await expectSignedOutHere(await confirm(await endSession({ post_logout_redirect_uri: undefined })));
  });

  it('oidcc-rp-initiated-logout-only-state: signs out, and says so', async () => {
    const page = await endSession({ id_token_hint: undefined, post_logout_redirect_uri: undefined });
    const done = await confirm(page);
    expect(done.url).to.not.include(state);
    await expectSignedOutHere(done);
  });

  it('oidcc-rp-initiated-logout-no-state: leads to the post_logout_redirect_uri without one', async () => {
    expect((await confirm(await endSession({ state: undefined }))).url).to.equal(SIGNED_OUT);
    await expectSignedOut(subject, agent);
  });
});
