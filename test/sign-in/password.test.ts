import { expect } from 'chai';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { begin, isSignedIn, makeApp, makeUser, PASSWORD, redeem, signInWithPassword } from './people.ts';

describe('signing in with a password', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey();
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  it('leads back to the app with a code whose ID token says pwd', async () => {
    const { email, userId } = await makeUser(lk, appId);
    const page = await signInWithPassword(lk.agent(), appId, email);
    expect(isSignedIn(page), page.html).to.equal(true);
    const { status, claims } = await redeem(lk, appId, page);
    expect(status).to.equal(200);
    expect(claims).to.include({ sub: userId, aud: appId });
    expect(claims['amr']).to.deep.equal(['pwd']);
  });

  it('takes a password typed in full-width or decomposed letters for the same one', async () => {
    const { email } = await makeUser(lk, appId, { password: 'Zürich \u{ff21}mbassador seven' });
    const page = await signInWithPassword(lk.agent(), appId, email, 'Zu\u0308rich Ambassador seven');
    expect(isSignedIn(page)).to.equal(true);
  });

  it('answers an unknown address, a wrong password and a disabled user with the same page', async () => {
    const known = await makeUser(lk, appId);
    const disabled = await makeUser(lk, appId);
    await lk.admin('PATCH', `/apps/${appId}/users/${disabled.userId}`, { disabled: true });
    const pages = [];
    for (const [email, password] of [
      [known.email, 'not the right one at all'],
      ['nobody@example.com', PASSWORD],
      [disabled.email, PASSWORD],
    ] as const) {
      const page = await signInWithPassword(lk.agent(), appId, email, password);
      pages.push({
        status: page.status,
        html: page.html
          .replaceAll(email, 'X')
          .replace(/(nonce|value|action|formaction|href|data-options)="[^"]*"/g, ''),
      });
    }
    expect(pages[0]!.status).to.equal(400);
    expect(pages[1]).to.deep.equal(pages[0]);
    expect(pages[2]).to.deep.equal(pages[0]);
  });

  it('#41 advances nothing on an empty form, a form without its token, or a later step', async () => {
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const at = new URL(page.url).pathname;
    expect((await agent.submit(page, { email: '', password: '' }, { ending: '/password' })).status).to.equal(
      400,
    );
    for (const path of [
      'password',
      'magic-link',
      'magic-link/code',
      'sign-up',
      'sign-up/code',
      'forgot',
      'consent',
      'cancel',
    ]) {
      const answer = await agent.send(`${at}/${path}`, { method: 'POST', body: new URLSearchParams({}) });
      expect(answer.status, path).to.equal(403);
    }
    const token = /name="csrf" value="([^"]+)"/.exec(page.html)![1]!;
    const consent = await agent.open(`${at}/consent`, {
      method: 'POST',
      body: new URLSearchParams({ csrf: token, decision: 'allow' }),
    });
    expect(consent.html).to.contain('name="password"');
    for (const path of ['magic-link', 'sign-up/sent', 'forgot/sent'])
      expect((await agent.open(`${at}/${path}`)).status).to.equal(200);
  });

  it('#38 refuses a form that another site or another browser sends', async () => {
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const { email } = await makeUser(lk, appId);
    const foreign = lk.agent({ 'sec-fetch-site': 'cross-site' });
    const other = await begin(foreign, appId);
    expect(
      (await foreign.submit(other, { email, password: PASSWORD }, { ending: '/password' })).status,
    ).to.equal(403);
    expect(
      (await lk.agent().submit(page, { email, password: PASSWORD }, { ending: '/password' })).status,
    ).to.equal(403);
  });

  it('#39 shows an expired page in a browser that did not begin the sign-in', async () => {
    const page = await begin(lk.agent(), appId);
    const elsewhere = await lk.agent().open(page.url);
    expect(elsewhere.status).to.equal(410);
    expect(elsewhere.html).to.contain('https://shop.example/');
    expect(elsewhere.html).not.to.contain('name="password"');
  });

  it('leads back to the app with access_denied when the person cancels', async () => {
    const agent = lk.agent();
    const page = await agent.submit(await begin(agent, appId), {}, { ending: '/cancel' });
    expect(new URL(page.url).searchParams.get('error')).to.equal('access_denied');
  });

  it('lets forms lead to the origin of the redirect URI and nowhere else', async () => {
    const page = await begin(lk.agent(), appId);
    expect(page.headers.get('content-security-policy')).to.contain(
      "form-action 'self' https://shop.example;",
    );
    expect(page.headers.get('cache-control')).to.equal('no-store');
  });

  it('finishes one interaction once when four right passwords come at once', async () => {
    const { email } = await makeUser(lk, appId);
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () =>
        agent.submit(page, { email, password: PASSWORD }, { ending: '/password' }),
      ),
    );
    const won = answers.filter(isSignedIn);
    expect(won).to.have.length(1);
    expect((await redeem(lk, appId, won[0]!)).status).to.equal(200);
  });
});
