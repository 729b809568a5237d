import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { launchBrowser, newContext } from '../support/browser.ts';
import { issuerOf } from '../support/sign-in.ts';
import type { Tokens } from './oidc-libraries.ts';
import { askSilently, goToSignIn, makeUser, sessionCookies, signInByPassword, signOut } from './person.ts';
import { type IssuerKind, RelyingParty } from './relying-party.ts';

const EMAIL = 'ada@example.com';
const kinds: readonly IssuerKind[] = ['own', 'shared'];

for (const driver of drivers) {
  describe(`two apps in one browser, on ${driver}`, function () {
    this.timeout(180_000);
    let latchkey: TestLatchkey;
    let browser: Browser;
    let wolf: RelyingParty;
    let lamb: RelyingParty;
    let wolfId: string;
    let lambId: string;
    let context: BrowserContext;
    let page: Page;

    before(async () => {
      [latchkey, browser] = await Promise.all([startTestLatchkey({ driver }), launchBrowser()]);
      [wolf, lamb] = await Promise.all([
        RelyingParty.start(latchkey, 'wolf'),
        RelyingParty.start(latchkey, 'wolf-lamb'),
      ]);
      [wolfId, lambId] = await Promise.all([
        makeUser(latchkey, 'wolf', EMAIL),
        makeUser(latchkey, 'wolf-lamb', EMAIL),
      ]);
    });
    after(async () => {
      await Promise.all([browser?.close(), wolf?.stop(), lamb?.stop()]);
      await latchkey?.stop();
    });
    beforeEach(async () => {
      context = await newContext(browser);
      page = await context.newPage();
    });
    afterEach(() => context.close());

    for (const kind of kinds) {
      it(`are two people with two sessions at the ${kind} issuer, and signing out of one leaves the other`, async () => {
        const atWolf = await signInByPassword(page, wolf, kind, EMAIL);
        expect(await askSilently(page, lamb, kind)).to.equal('login_required');
        await goToSignIn(page, lamb, kind);
        expect(await page.inputValue('input[name=email]'), 'the address of the other app').to.equal('');
        const atLamb = await signInByPassword(page, lamb, kind, EMAIL);
        expect([atWolf.tokens.claims['sub'], atLamb.tokens.claims['sub']]).to.deep.equal([wolfId, lambId]);
        expect(wolfId).to.not.equal(lambId);
        expect(await sessionCookies(context)).to.deep.equal(['lk_ses.wolf', 'lk_ses.wolf-lamb']);
        expect([await askSilently(page, wolf, kind), await askSilently(page, lamb, kind)]).to.deep.equal([
          wolfId,
          lambId,
        ]);

        await signOut(page, wolf, atWolf);
        expect([await askSilently(page, wolf, kind), await askSilently(page, lamb, kind)]).to.deep.equal([
          'login_required',
          lambId,
        ]);
        expect(await sessionCookies(context)).to.deep.equal(['lk_ses.wolf-lamb']);
        expect((await lamb.visitAt(page.url()).library.refresh(atLamb.tokens)).claims['sub']).to.equal(
          lambId,
        );
      });
    }

    it('share a session between both issuers of one app, and none between the apps', async () => {
      await signInByPassword(page, wolf, 'own', EMAIL);
      expect([await askSilently(page, wolf, 'own'), await askSilently(page, wolf, 'shared')]).to.deep.equal([
        wolfId,
        wolfId,
      ]);
      expect([await askSilently(page, lamb, 'own'), await askSilently(page, lamb, 'shared')]).to.deep.equal([
        'login_required',
        'login_required',
      ]);
    });

    it('are listed by name where nobody said which one to sign out of, each with a sign-out of its own', async () => {
      await signInByPassword(page, wolf, 'shared', EMAIL);
      await signInByPassword(page, lamb, 'own', EMAIL);
      await page.goto(`${latchkey.baseUrl}/logout`);
      expect(await page.locator('.apps-name').allTextContents()).to.deep.equal([
        'The wolf app',
        'The wolf-lamb app',
      ]);
      await page.getByRole('button', { name: 'Sign out of The wolf-lamb app' }).click();
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.waitForURL(/\/logout\/success/);
      expect([await askSilently(page, wolf, 'own'), await askSilently(page, lamb, 'own')]).to.deep.equal([
        wolfId,
        'login_required',
      ]);
    });

    it('show scripts no cookie, on pages of either app and of the deployment', async () => {
      await signInByPassword(page, wolf, 'own', EMAIL);
      await goToSignIn(page, lamb, 'own');
      const pages = [
        page.url(),
        `${latchkey.baseUrl}/`,
        `${latchkey.baseUrl}/logout`,
        `${latchkey.baseUrl}/auth/wolf/logout`,
        `${latchkey.baseUrl}/dev/playground`,
      ];
      for (const url of pages) {
        await page.goto(url);
        expect(await page.evaluate('document.cookie'), url).to.equal('');
      }
      const cookies = (await context.cookies()).filter(({ name }) => name.startsWith('lk_'));
      for (const cookie of cookies)
        expect(cookie, cookie.name).to.include({ httpOnly: true, sameSite: 'Lax', domain: 'localhost' });
    });

    it('take no session of one app for one of the other, whatever name its cookie is given', async () => {
      await signInByPassword(page, wolf, 'own', EMAIL);
      const before = await rowCounts(latchkey);
      const cookies = (await context.cookies()).filter(({ name }) => name.startsWith('lk_ses.wolf'));
      expect(cookies).to.have.length.greaterThan(0);
      await context.clearCookies();
      await context.addCookies(
        cookies.map((cookie) => ({
          ...cookie,
          name: cookie.name.replace('lk_ses.wolf', 'lk_ses.wolf-lamb'),
        })),
      );
      for (const kind of kinds) expect(await askSilently(page, lamb, kind)).to.equal('login_required');
      await goToSignIn(page, lamb, 'own');
      expect(await rowCounts(latchkey)).to.deep.equal(before);
    });

    for (const kind of kinds) {
      it(`refuse each other's tokens and codes at the ${kind} issuer, and nothing comes of the attempt`, async () => {
        const { tokens } = await signInByPassword(page, wolf, kind, EMAIL);
        await signInByPassword(page, lamb, kind, EMAIL);
        const { callback, verifier } = await unredeemedCode(page, wolf, kind);
        const before = await rowCounts(latchkey);
        await refusesTokens(latchkey, lamb, kind, tokens);
        const code = {
          grant_type: 'authorization_code',
          code: callback.searchParams.get('code')!,
          code_verifier: verifier,
        };
        for (const redirect_uri of [wolf.redirectUri, lamb.redirectUri]) {
          const answer = await askToken(latchkey, lamb, kind, { ...code, redirect_uri });
          expect(answer).to.deep.equal({ status: 400, error: 'invalid_grant' });
        }
        const refresh = await askToken(latchkey, lamb, kind, {
          grant_type: 'refresh_token',
          refresh_token: tokens.refreshToken,
        });
        expect(refresh).to.deep.equal({ status: 400, error: 'invalid_grant' });
        expect(await rowCounts(latchkey)).to.deep.equal(before);

        const redeemed = await askToken(latchkey, wolf, kind, { ...code, redirect_uri: wolf.redirectUri });
        expect(redeemed.status, 'the code still works where it belongs').to.equal(200);
        const library = await wolf.library(kind, 'openid-client');
        expect((await library.refresh(tokens)).claims['sub']).to.equal(wolfId);
      });
    }
  });
}

/** An access token of another app: unknown to userinfo and introspection; revoking it changes nothing. */
async function refusesTokens(
  latchkey: TestLatchkey,
  at: RelyingParty,
  kind: IssuerKind,
  { accessToken, refreshToken }: Tokens,
): Promise<void> {
  // Where the app is named by the path, at its own issuer: the shared one finds the app in the token itself.
  const userinfo = await fetch(`${issuerOf(latchkey, at.appId, 'own')}/userinfo`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  expect(userinfo.status).to.equal(401);
  for (const token of [accessToken, refreshToken]) {
    expect(await ask(latchkey, at, kind, '/introspect', { token })).to.deep.equal({
      status: 200,
      body: { active: false },
    });
    await ask(latchkey, at, kind, '/revoke', { token });
  }
}

async function ask(
  latchkey: TestLatchkey,
  as: RelyingParty,
  kind: IssuerKind,
  path: string,
  form: Record<string, string>,
) {
  const response = await fetch(`${issuerOf(latchkey, as.appId, kind)}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${as.appId}:${as.secret}`).toString('base64')}` },
    body: new URLSearchParams(form),
  });
  const text = await response.text();
  return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : undefined };
}

async function askToken(
  latchkey: TestLatchkey,
  as: RelyingParty,
  kind: IssuerKind,
  form: Record<string, string>,
) {
  const { status, body } = await ask(latchkey, as, kind, '/token', form);
  return { status, error: body?.['error'] };
}

/** A code that came back to the app's callback, which leaves it alone: it had not sent anybody away with this `state`. */
async function unredeemedCode(
  page: Page,
  party: RelyingParty,
  kind: IssuerKind,
): Promise<{ callback: URL; verifier: string }> {
  const { url, verifier } = await (await party.library(kind, 'openid-client')).depart({});
  const returned = page.waitForRequest((request) => request.url().startsWith(party.redirectUri));
  await page.goto(url.href);
  const callback = new URL((await returned).url());
  expect(callback.searchParams.get('code'), callback.href).to.be.a('string');
  return { callback, verifier };
}

/** What is durable of anybody's access, and which of it lives. */
async function rowCounts(latchkey: TestLatchkey): Promise<Record<string, unknown>> {
  const [counts] = await latchkey.sql(`select
    (select count(*) from grants) as grants, (select count(*) from grants where revoked_at is not null) as revoked,
    (select count(*) from refresh_tokens) as refresh_tokens, (select count(*) from refresh_tokens where consumed_at is not null) as used,
    (select count(*) from sessions) as sessions, (select count(*) from sessions where ended_at is not null) as ended,
    (select count(*) from denied_tokens) as denied, (select count(*) from spent) as spent`);
  return counts!;
}
