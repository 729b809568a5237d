import { expect } from 'chai';
import type * as oidc from 'openid-client';
import type { Agent, Page } from '../support/agent.ts';
import { formsOf } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  REDIRECT,
  type Request,
  signedIn,
  type TestClient,
} from '../support/sign-in.ts';
import { redeemCode } from '../support/token-calls.ts';

const EMAIL = 'ada@example.com';
const MODES = [
  'query',
  'fragment',
  'form_post',
  'jwt',
  'query.jwt',
  'fragment.jwt',
  'form_post.jwt',
  'web_message',
];
const EVIL = [
  'https://evil.test/callback',
  `${REDIRECT}/../evil`,
  'http://localhost:1@evil.test/callback',
  '*',
];

for (const kind of ['shared', 'own'] as const) {
  describe(`where an authorization response goes, ${kind} issuer`, () => {
    let latchkey: TestLatchkey;
    let shop: TestClient;
    let configuration: oidc.Configuration;
    let agent: Agent;

    before(async () => {
      latchkey = await startTestLatchkey();
      shop = await makeApp(latchkey, 'shop');
      await makeUser(latchkey, 'shop', EMAIL);
      configuration = await discover(latchkey, shop, kind);
      agent = latchkey.agent();
      await signedIn(latchkey, shop, { email: EMAIL, kind, agent });
    });
    after(() => latchkey.stop());

    const ask = (parameters: Record<string, string>): Promise<Request> =>
      authorizationRequest(configuration, { scope: 'openid', ...parameters });

    it('#13 no response mode sends a code, or an error, to an address that is not registered', async () => {
      for (const response_mode of MODES) {
        for (const redirect_uri of EVIL) {
          const { url } = await ask({ response_mode, redirect_uri });
          const response = await agent.send(url.href);
          const html = await response.text();
          const what = `${response_mode} ${redirect_uri}`;
          expect([response.status, response.headers.get('location')], what).to.deep.equal([400, null]);
          expect(html + (response.headers.get('content-security-policy') ?? ''), what).not.to.include('evil');
          expect(html, what).not.to.match(/name="code"|name="response"/);
        }
      }
    });

    it('#13 each response mode answers at the registered address, and only there', async () => {
      for (const response_mode of MODES) {
        const request = await ask({ response_mode });
        const page = await agent.open(request.url.href);
        const { address, parameters } = answerOf(page);
        expect(address, `${response_mode} ${page.status} ${page.url}`).to.equal(REDIRECT);
        if (parameters.has('error') || parameters.has('response')) continue;
        expect(parameters.get('state'), response_mode).to.equal(request.state);
        expect(parameters.has('code'), response_mode).to.equal(true);
        if (response_mode !== 'form_post') continue;
        expect(page.url).not.to.include(parameters.get('code')!);
        const policy = page.headers.get('content-security-policy')!;
        expect(/form-action ([^;]*)/.exec(policy)![1]).to.equal("'self' http://localhost:1");
      }
    });

    it('#13 a response mode that is none is refused without a code', async () => {
      for (const response_mode of ['cookie', 'query fragment', '<b>', 'FORM_POST']) {
        const { url } = await ask({ response_mode });
        const page = await agent.open(url.href);
        expect(page.url + page.html, response_mode).not.to.match(/[?&#]code=|name="code"/);
      }
    });

    /**
     * A sign-in up to its last redirect: the address that resumes the authorization request is not opened yet. There is one
     * where the library has something to do: the plainest requests need none (decision 0053).
     */
    async function beforeResume() {
      const parameters = { scope: 'openid', response_mode: 'query' };
      const request = await authorizationRequest(configuration, parameters);
      const browser = latchkey.agent();
      const page = await browser.open(request.url.href);
      const form = formsOf(page).find(({ action }) => action.endsWith('/password'))!;
      const body = new URLSearchParams({ ...form.fields, email: EMAIL, password: PASSWORD });
      const response = await browser.send(form.action, {
        method: 'POST',
        headers: { origin: latchkey.baseUrl },
        body,
      });
      const resume = new URL(response.headers.get('location')!, latchkey.baseUrl);
      expect(resume.pathname).to.match(/\/authorize\/[A-Za-z0-9_-]+$/);
      return { request, browser, resume };
    }

    it('#13 what is added to the address that resumes a request changes nothing of it (CVE-2026-7571)', async () => {
      const { request, browser, resume } = await beforeResume();
      for (const [name, value] of Object.entries({
        response_type: 'token',
        response_mode: 'fragment',
        redirect_uri: 'https://evil.test/callback',
        scope: 'openid profile offline_access',
        client_id: 'other',
        state: 'forged',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'plain',
      }))
        resume.searchParams.set(name, value);
      const page = await browser.open(resume.href);
      const { address, parameters } = answerOf(page);
      expect([address, parameters.get('state')]).to.deep.equal([REDIRECT, request.state]);
      expect(new URL(page.url).hash).to.equal('');
      expect(parameters.has('access_token')).to.equal(false);
      const { status, body } = await redeemCode(configuration, shop, {
        callback: page.url,
        verifier: request.verifier,
      });
      expect([status, body.scope]).to.deep.equal([200, 'openid']);
    });

    it('#13 an authorization is resumed once: its cookies, kept and sent again, give no second code', async () => {
      const { browser, resume } = await beforeResume();
      const kept = copyOf(browser, latchkey);
      expect((await browser.open(resume.href)).url).to.match(/[?&]code=/);
      for (const again of [kept, browser]) {
        const page = await again.open(resume.href);
        expect(page.url + page.html).not.to.match(/[?&#]code=|name="code"/);
        expect(page.status).to.be.within(400, 410);
      }
    });

    it('#13 #39 the cookies of one authorization resume no other, whatever name they are given', async () => {
      const [one, two] = [await beforeResume(), await beforeResume()];
      const isAnswer = (page: Page): boolean => /[?&#]code=|name="code"/.test(page.url + page.html);
      expect(isAnswer(await copyOf(one.browser, latchkey).open(two.resume.href))).to.equal(false);
      const [from, to] = [one, two].map(({ resume }) => resume.pathname.split('/').at(-1)!);
      const renamed = latchkey.agent();
      for (const [name, value, path] of one.browser.cookies())
        renamed.setCookie(name.replaceAll(from!, to!), value, path.replaceAll(from!, to!));
      expect(isAnswer(await renamed.open(two.resume.href))).to.equal(false);
      for (const { browser, resume } of [one, two])
        expect(isAnswer(await browser.open(resume.href))).to.equal(true);
    });
  });
}

function copyOf(browser: Agent, latchkey: TestLatchkey): Agent {
  const copy = latchkey.agent();
  for (const [name, value, path] of browser.cookies()) copy.setCookie(name, value, path);
  return copy;
}

/** Where an answer goes and what it holds, in whichever mode. */
function answerOf(page: Page): { address: string; parameters: URLSearchParams } {
  const form = formsOf(page).find(({ method }) => method === 'post');
  if (page.html && form) return { address: form.action, parameters: new URLSearchParams(form.fields) };
  const url = new URL(page.url);
  const parameters = new URLSearchParams(url.hash ? url.hash.slice(1) : url.search);
  return { address: url.origin + url.pathname, parameters };
}
