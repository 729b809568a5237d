import { expect } from 'chai';
import { type Agent, formsOf, type Page } from '../../support/agent.ts';
import { drivers, startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { makeApp, makeUser, PASSWORD, signedIn, type TestClient } from '../../support/sign-in.ts';
import { type Answer, call, refresh, tokenUrl } from '../../support/token-calls.ts';

const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';
const NASTY = '"><img src=x onerror=alert(1)> Firefox/1.0 <script>alert(1)</script>';

for (const driver of drivers) {
  describe(`the account pages, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let phone: TestClient;
    let userId: string;
    let people = 0;
    let email: string;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      shop = await makeApp(latchkey, 'shop');
      await makeApp(latchkey, 'other');
      const made = await latchkey.admin('POST', '/apps/shop/clients', {
        name: '<b onclick=alert(1)>Phone</b>',
        type: 'native',
        redirect_uris: ['http://localhost:1/callback'],
      });
      phone = { appId: 'shop', clientId: made.body.client_id, secret: undefined };
    });
    after(() => latchkey.stop());
    beforeEach(async () => {
      email = `ada${(people += 1)}@example.com`;
      userId = await makeUser(latchkey, 'shop', email);
    });

    const account = (page = ''): string => `${latchkey.baseUrl}/auth/shop/account${page}`;
    const sessions = async (): Promise<any[]> =>
      (await latchkey.admin('GET', `/apps/shop/users/${userId}/sessions`)).body.items;
    const isSignedIn = async (agent: Agent): Promise<boolean> =>
      (await agent.send(account('/sessions'))).status === 200;
    const ageSignIn = (minutes: number): Promise<unknown> =>
      latchkey.sql(
        `update sessions set payload = jsonb_set(payload, '{loginTs}', to_jsonb((payload ->> 'loginTs')::bigint - $1)) where user_id = $2`,
        [minutes * 60, userId],
      );

    it('lead through an ordinary sign-in and back, whoever comes without a session', async () => {
      const agent = latchkey.agent();
      const asked = await agent.open(account('/apps'));
      expect(asked.url).to.contain('/auth/shop/interaction/');
      const page = await agent.submit(asked, { email, password: PASSWORD }, { ending: '/password' });
      expect(page.url).to.equal(account('/apps'));
      expect(page.status).to.equal(200);
      expect((await agent.open(account())).url).to.equal(account('/profile'));
      expect((await agent.open(account('/signed-in?code=x&state=https://evil.example'))).url).to.equal(
        account('/profile'),
      );
    });

    it('give nobody a code for them: none can be redeemed, at no issuer', async () => {
      const agent = latchkey.agent();
      const asked = await agent.send(account('/sessions'));
      const url = new URL(asked.headers.get('location')!);
      expect(asked.status).to.equal(303);
      expect(url.searchParams.get('redirect_uri')).to.equal(account('/signed-in'));
      const again = new URL((await agent.send(account('/sessions'))).headers.get('location')!);
      expect(again.searchParams.get('code_challenge')).to.not.equal(url.searchParams.get('code_challenge'));
      // The address belongs to the app's own issuer and its first client.
      for (const [base, client] of [
        [latchkey.baseUrl, 'shop'],
        [`${latchkey.baseUrl}/auth/other`, 'other'],
        [`${latchkey.baseUrl}/auth/shop`, phone.clientId],
      ]) {
        url.searchParams.set('client_id', client!);
        const refused = await agent.open(`${base}/authorize?${url.searchParams}`);
        expect(refused.status, `${base} ${client}`).to.equal(400);
      }
    });

    it('#46 list every session with its device, mark this one, and end one', async () => {
      const here = latchkey.agent({ 'user-agent': FIREFOX });
      const there = latchkey.agent({ 'user-agent': IPHONE });
      await signedIn(latchkey, shop, { email, agent: here });
      const { configuration, tokens } = await signedIn(latchkey, shop, { email, agent: there });
      const page = await here.open(account('/sessions'));
      const entries = page.html.match(/<li>[^]*?<\/li>/g)!;
      expect(entries).to.have.length(2);
      expect(entries[0]).to.contain('Firefox on Windows').and.contain('This browser').and.contain('SHOP');
      expect(entries[1]).to.contain('Safari on iOS').and.not.contain('This browser');
      const done = await here.submit(page, {}, { ending: '/end' });
      expect(done.url).to.equal(account('/sessions?done=ended'));
      expect(done.html).to.contain('That browser is signed out.');
      expect(await isSignedIn(here)).to.equal(true);
      expect(await isSignedIn(there)).to.equal(false);
      expect((await refresh(configuration, shop, tokens.refresh_token!)).body.error).to.equal(
        'invalid_grant',
      );
      expect(await sessions()).to.have.length(1);
    });

    it('#46 end all other sessions, and what works offline, but not this one', async () => {
      const here = latchkey.agent();
      const mine = await signedIn(latchkey, shop, { email, agent: here });
      const others = [latchkey.agent(), latchkey.agent()];
      for (const agent of others) await signedIn(latchkey, shop, { email, agent });
      const offline = await signedIn(latchkey, phone, { email });
      const page = await here.open(account('/sessions'));
      await here.submit(page, {}, { ending: '/end-others' });
      expect(await isSignedIn(here)).to.equal(true);
      for (const agent of others) expect(await isSignedIn(agent)).to.equal(false);
      expect((await refreshOnPhone(offline)).body.error).to.equal('invalid_grant');
      expect((await refresh(mine.configuration, shop, mine.tokens.refresh_token!)).status).to.equal(200);
    });

    it('list the applications with access and take it away, refresh tokens too', async () => {
      const agent = latchkey.agent();
      await signedIn(latchkey, shop, { email, agent });
      const onPhone = await signedIn(latchkey, phone, { email, agent });
      const page = await agent.open(account('/apps'));
      expect(page.html.match(/<li>/g)).to.have.length(2);
      expect(page.html).to.contain('Stays connected while you are away');
      const done = await agent.submit(page, {}, { ending: `/apps/${phone.clientId}/end` });
      expect(done.html).to.contain('Its access has ended.');
      expect(done.html.match(/<li>/g)).to.have.length(1);
      expect((await refreshOnPhone(onPhone)).body.error).to.equal('invalid_grant');
    });

    it('ask whoever signed in long ago to do so again before anything is ended', async function () {
      // The row's clock is moved behind the back of the cache, which would still know the old one.
      if (driver === 'redis') this.skip();
      const here = latchkey.agent();
      await signedIn(latchkey, shop, { email, agent: here });
      const there = latchkey.agent();
      await signedIn(latchkey, shop, { email, agent: there });
      await ageSignIn(16);
      const page = await here.open(account('/sessions'));
      expect(page.status).to.equal(200);
      const asked = await here.submit(page, {}, { ending: '/end-others' });
      expect(asked.url).to.contain('/interaction/');
      expect(await isSignedIn(there)).to.equal(true);
      const cookie = here.cookie('lk_ses.shop');
      const back = await here.submit(asked, { email, password: PASSWORD }, { ending: '/password' });
      expect(back.html).to.contain('choose once more');
      expect(here.cookie('lk_ses.shop'), '#35 a new id after step-up').to.not.equal(cookie);
      await here.submit(back, {}, { ending: '/end-others' });
      expect(await isSignedIn(there)).to.equal(false);
    });

    it('take no form of another page, person or site', async () => {
      const here = latchkey.agent();
      await signedIn(latchkey, shop, { email, agent: here });
      const there = latchkey.agent();
      await signedIn(latchkey, shop, { email, agent: there });
      const page = await here.open(account('/sessions'));
      const form = formsOf(page).find(({ action }) => action.endsWith('/end-others'))!;
      const post = async (csrf: string, headers: Record<string, string>): Promise<number> =>
        (await here.send(form.action, { method: 'POST', headers, body: new URLSearchParams({ csrf }) }))
          .status;
      const own = { origin: latchkey.baseUrl };
      const theirs = formsOf(await there.open(account('/sessions')))[0]!.fields['csrf']!;
      expect(await post('', own)).to.be.within(400, 403);
      expect(await post(theirs, own)).to.be.within(400, 403);
      expect(await post(form.fields['csrf']!, { origin: 'https://evil.example' })).to.be.within(400, 403);
      expect(await isSignedIn(there)).to.equal(true);
      // The token belongs to the session that showed the form, not only to the browser.
      await signedOutAndIn(here);
      expect(await post(form.fields['csrf']!, own)).to.be.within(400, 403);
      expect(await isSignedIn(there)).to.equal(true);
    });

    it('end nothing of another person or app, by whatever id', async () => {
      const here = latchkey.agent();
      await signedIn(latchkey, shop, { email, agent: here });
      const neighbour = 'neighbour@example.com';
      await makeUser(latchkey, 'shop', `${people}${neighbour}`);
      const theirs = latchkey.agent();
      await signedIn(latchkey, shop, { email: `${people}${neighbour}`, agent: theirs });
      const [row] = await latchkey.sql(
        `select s.session_id from sessions s where s.user_id <> $1 and s.ended_at is null order by s.created_at desc limit 1`,
        [userId],
      );
      const page = await here.open(account('/apps'));
      const { csrf } = formsOf(page).find(({ method }) => method === 'post')!.fields;
      await here.open(account(`/sessions/${row!['session_id']}/end`), {
        method: 'POST',
        headers: { origin: latchkey.baseUrl },
        body: new URLSearchParams({ csrf: csrf! }),
      });
      expect(await isSignedIn(theirs)).to.equal(true);
      expect((await here.open(`${latchkey.baseUrl}/auth/other/account/sessions`)).url).to.contain(
        '/interaction/',
      );
    });

    it('#44 show user agents and names of clients as text', async () => {
      const agent = latchkey.agent({ 'user-agent': NASTY });
      await signedIn(latchkey, shop, { email, agent });
      await signedIn(latchkey, phone, { email, agent });
      for (const path of ['/sessions', '/apps']) {
        const page = await agent.open(account(path));
        expect(page.html).to.not.match(/<img|<script>|<b onclick/);
        expect(page.html).to.contain('&lt;b onclick=alert(1)&gt;Phone');
        expect(page.headers.get('content-security-policy')).to.contain("default-src 'none'");
      }
      const [listed] = await sessions();
      expect(listed.device.os).to.equal(null);
    });

    it('speak the language that was asked for, and stay small', async () => {
      const agent = latchkey.agent({ 'accept-language': 'de' });
      await signedIn(latchkey, shop, { email, agent });
      const page = await agent.open(account('/sessions'));
      expect(page.html).to.contain('Wo Sie angemeldet sind');
      expect((await agent.open(account('/sessions?ui_locales=fr'))).html).to.contain('Où vous êtes connecté');
      expect(page.html.length).to.be.below(60_000);
    });

    async function signedOutAndIn(agent: Agent): Promise<Page> {
      const asked = await agent.open(`${latchkey.baseUrl}/auth/shop/logout`);
      await agent.submit(asked, { logout: 'yes' });
      await signedIn(latchkey, shop, { email, agent });
      return agent.open(account('/sessions'));
    }

    const refreshOnPhone = (at: Awaited<ReturnType<typeof signedIn>>): Promise<Answer> =>
      call(tokenUrl(at.configuration), {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: at.tokens.refresh_token!,
          client_id: phone.clientId,
        }),
      });
  });
}
