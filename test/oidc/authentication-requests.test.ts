import { expect } from 'chai';
import { drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';

const EMAIL = 'ada@example.com';
const ONE = 'urn:latchkey:acr:1fa';
const TWO = 'urn:latchkey:acr:2fa';
const errorOf = (url: string): string | null => new URL(url).searchParams.get('error');
const soon = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const driver of drivers) {
  describe(`#16 #17 what a request asks of the sign-in, on ${driver}`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;

    before(async () => {
      latchkey = await startTestLatchkey({ driver });
      // What two factors make of such requests: test/sign-in/second-factor.test.ts.
      const settings = {
        second_factor: 'off',
        methods: { passkey: false },
        features: { claims_parameter: true },
      };
      shop = await makeApp(latchkey, 'shop', { settings });
      await makeApp(latchkey, 'closed', { settings: { sign_up: 'invite_only' } });
      await makeUser(latchkey, 'shop', EMAIL);
    });
    after(() => latchkey.stop());

    const ask = async (parameters: Record<string, string>) => {
      const configuration = await discover(latchkey, shop, 'own');
      return { configuration, request: await authorizationRequest(configuration, parameters) };
    };
    const sessionOf = (agent: ReturnType<TestLatchkey['agent']>): string => agent.cookie('lk_ses.shop')!;

    for (const [what, parameters] of [
      ['prompt=login', { prompt: 'login' }],
      ['max_age=1', { max_age: '1' }],
      ['max_age=0', { max_age: '0' }],
      ['prompt=select_account', { prompt: 'select_account' }],
    ] as [string, Record<string, string>][]) {
      it(`#16 ${what} asks a signed-in person again, gives a new auth_time and renews the session`, async () => {
        const first = await signedIn(latchkey, shop, { email: EMAIL, kind: 'own' });
        const before = sessionOf(first.agent);
        await soon(2100);
        const { configuration, request } = await ask(parameters);
        const page = await first.agent.open(request.url.href);
        expect([page.status, page.url.includes('/interaction/')]).to.deep.equal([200, true]);
        const done = await first.agent.submit(
          page,
          { email: EMAIL, password: PASSWORD },
          { ending: '/password' },
        );
        const tokens = await redeem(configuration, request, done.url);
        const then = first.tokens.claims()!['auth_time'] as number;
        const now = (await redeemed(tokens))['auth_time'] as number;
        expect(now).to.be.greaterThan(then);
        expect(sessionOf(first.agent)).to.not.equal(before);
      });
    }
    const redeemed = (tokens: Awaited<ReturnType<typeof redeem>>): Promise<Record<string, unknown>> =>
      Promise.resolve(tokens.claims() as unknown as Record<string, unknown>);

    it('#16 says honestly that one factor was proved, also where two were wished for', async () => {
      for (const parameters of [
        {},
        { acr_values: `${TWO} ${ONE}` },
        { acr_values: TWO },
        { claims: JSON.stringify({ id_token: { acr: { values: [TWO] } } }) },
      ]) {
        const { tokens } = await signedIn(latchkey, shop, { email: EMAIL, kind: 'own', parameters });
        expect(tokens.claims()).to.deep.include({ acr: ONE, amr: ['pwd'] });
      }
      const { configuration } = await ask({});
      expect(configuration.serverMetadata().acr_values_supported).to.deep.equal([ONE]);
    });

    it('#16 an essential acr that can not be reached is an error of its own, signed in or not', async () => {
      const { agent } = await signedIn(latchkey, shop, { email: EMAIL, kind: 'own' });
      for (const asked of [{ values: [TWO] }, { value: TWO }, { values: ['urn:other', 'mfa'] }]) {
        const claims = JSON.stringify({ id_token: { acr: { essential: true, ...asked } } });
        for (const browser of [agent, latchkey.agent()]) {
          const { request } = await ask({ claims });
          const { url } = await browser.open(request.url.href);
          expect(errorOf(url)).to.equal('unmet_authentication_requirements');
          expect(new URL(url).searchParams.get('iss')).to.equal(`${latchkey.baseUrl}/auth/shop`);
        }
        const { request } = await ask({ claims, prompt: 'none' });
        expect(errorOf((await agent.open(request.url.href)).url)).to.equal(
          'unmet_authentication_requirements',
        );
      }
      const claims = JSON.stringify({ id_token: { acr: { essential: true, values: [TWO, ONE] } } });
      const { configuration, request } = await ask({ claims });
      const { url } = await signInByPassword(latchkey.agent(), request, EMAIL);
      expect((await redeem(configuration, request, url)).claims()).to.include({ acr: ONE });
    });

    it('#17 prompt=none shows no page and signs nobody in by another app of the deployment', async () => {
      const { agent } = await signedIn(latchkey, shop, { email: EMAIL, kind: 'shared' });
      const { request } = await ask({ prompt: 'none' });
      expect(errorOf((await agent.open(request.url.href)).url)).to.equal(null);
      const closed = await discover(latchkey, { appId: 'closed', clientId: 'closed', secret: 'x' }, 'shared');
      const other = await authorizationRequest(closed, { prompt: 'none' });
      expect(errorOf((await agent.open(other.url.href)).url)).to.equal('login_required');
      await soon(2100);
      const aged = await ask({ prompt: 'none', max_age: '1' });
      expect(errorOf((await agent.open(aged.request.url.href)).url)).to.equal('login_required');
      const mixed = await ask({ prompt: 'none login' });
      expect(errorOf((await agent.open(mixed.request.url.href)).url)).to.equal('invalid_request');
      const unknown = await ask({ prompt: 'dance' });
      expect(errorOf((await agent.open(unknown.request.url.href)).url)).to.equal('invalid_request');
    });

    it('prompt=create begins with making an account where people may, and leads to signing in', async () => {
      const { request } = await ask({ prompt: 'create' });
      const agent = latchkey.agent();
      const page = await agent.open(request.url.href);
      expect(page.url).to.match(/\/sign-up$/);
      const back = await agent.open(page.url.replace(/\/sign-up$/, ''));
      expect(back.url).to.not.match(/\/sign-up$/);
      const done = await agent.submit(back, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
      expect(done.url).to.include('code=');
      const closed = await discover(latchkey, { appId: 'closed', clientId: 'closed', secret: 'x' }, 'own');
      const other = await authorizationRequest(closed, { prompt: 'create' });
      const shown = await latchkey.agent().open(other.url.href);
      expect([shown.status, /\/sign-up/.test(shown.url)]).to.deep.equal([200, false]);
      expect(closed.serverMetadata()['prompt_values_supported']).to.include('create');
    });

    it('login_hint is filled in and believed by nobody; ui_locales chooses the language', async () => {
      const { request } = await ask({ login_hint: EMAIL, ui_locales: 'xx de' });
      const agent = latchkey.agent();
      const page = await agent.open(request.url.href);
      expect(page.html).to.include(`value="${EMAIL}"`).and.include('lang="de"');
      const wrong = await agent.submit(
        page,
        { email: EMAIL, password: 'not hers, of course' },
        {
          ending: '/password',
        },
      );
      expect(wrong.url).to.not.include('code=');
      const hostile = await ask({ login_hint: '"><script>alert(1)</script>@x' });
      expect((await latchkey.agent().open(hostile.request.url.href)).html).to.not.include('<script>alert');
    });
  });
}
