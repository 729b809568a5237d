import { expect } from 'chai';
import { type Agent, formsOf } from '../../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { makeApp, makeUser, PASSWORD, REDIRECT, SIGNED_OUT } from '../../support/sign-in.ts';

const EMAIL = 'ada@example.com';
const SETTINGS = 'https://shop.example/settings?tab=account';

describe('the way back from the account pages', function () {
  this.timeout(120_000);
  let latchkey: TestLatchkey;
  let further: string;
  let foreign: string;

  before(async () => {
    latchkey = await startTestLatchkey();
    await makeApp(latchkey, 'shop');
    await makeApp(latchkey, 'other', { redirect_uris: ['https://other.example/callback'] });
    await makeUser(latchkey, 'shop', EMAIL);
    const client = { name: 'Shop Mobile', type: 'native', redirect_uris: ['com.example.shop:/callback'] };
    const made = await latchkey.admin('POST', '/apps/shop/clients', {
      ...client,
      settings: { return_uris: [SETTINGS, 'com.example.shop:/settings'] },
    });
    expect(made.body.settings.return_uris).to.have.length(2);
    further = made.body.client_id;
    foreign = (await latchkey.admin('POST', '/apps/other/clients', client)).body.client_id;
  });
  after(() => latchkey.stop());

  const account = (page = '', query: Record<string, string> = {}): string =>
    `${latchkey.baseUrl}/auth/shop/account${page}?${new URLSearchParams(query)}`;
  const enter = async (
    query: Record<string, string>,
  ): Promise<{ agent: Agent; html: string; url: string }> => {
    const agent = latchkey.agent();
    const asked = await agent.open(account('/sessions', query));
    expect(asked.url).to.contain('/interaction/');
    const page = await agent.submit(asked, { email: EMAIL, password: PASSWORD }, { ending: '/password' });
    return { agent, ...page };
  };
  const linkBack = (html: string): string | undefined =>
    /<p class="way-back"><a href="([^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&');

  it('survives the sign-in, every page, and what is done on them', async () => {
    for (const [clientId, returnTo] of [
      [further, SETTINGS],
      [further, 'com.example.shop:/settings'],
      ['shop', REDIRECT],
      ['shop', SIGNED_OUT],
    ] as const) {
      const { agent, html, url } = await enter({ client_id: clientId, return_to: returnTo });
      expect(linkBack(html), `${clientId} ${url}`).to.equal(returnTo);
      const tabs = [...html.matchAll(/<nav class="tabs"[^]*?<\/nav>/g)][0]![0];
      const urls = [...tabs.matchAll(/href="([^"]+)"/g)].map(([, one]) => one!.replaceAll('&amp;', '&'));
      expect(urls.length).to.be.greaterThan(4);
      for (const one of urls) {
        const page = await agent.open(one);
        expect(page.status, one).to.equal(200);
        expect(linkBack(page.html), one).to.equal(returnTo);
        for (const form of formsOf(page).filter(({ method }) => method === 'post'))
          expect(form.fields, `${one} ${form.action}`).to.include({ return_to: returnTo });
      }
      const profile = await agent.open(urls[0]!);
      const saved = await agent.submit(profile, { nickname: clientId }, { ending: '/profile' });
      expect(saved.html).to.contain('Your profile is saved.');
      expect(linkBack(saved.html)).to.equal(returnTo);
      const refused = await agent.submit(saved, { name: 'x'.repeat(300) }, { ending: '/profile' });
      expect(linkBack(refused.html)).to.equal(returnTo);
      const first = await agent.open(account('', { client_id: clientId, return_to: returnTo }));
      expect(linkBack(first.html)).to.equal(returnTo);
    }
  });

  it('#45 is shown to no address but one that the client named is registered with, to the letter', async () => {
    const { agent } = await enter({});
    const { host } = new URL(latchkey.baseUrl);
    const refused: Record<string, string>[] = [
      { return_to: SETTINGS },
      { client_id: further },
      { client_id: 'shop', return_to: SETTINGS },
      { client_id: foreign, return_to: 'com.example.shop:/callback' },
      { client_id: 'other', return_to: 'https://other.example/callback' },
      { client_id: 'constructor', return_to: SETTINGS },
      ...[
        `${SETTINGS}#x`,
        `${SETTINGS}&x=1`,
        SETTINGS.toUpperCase(),
        'https://shop.example/settings',
        'https://shop.example/settings?tab=account/',
        'https://shop.example.evil.test/settings?tab=account',
        '//evil.test',
        '/\\evil.test',
        'https:evil.test',
        `http://${host}@evil.test/`,
        'javascript:alert(1)',
        'data:text/html,x',
        `${SETTINGS}\r\nLocation: https://evil.test/`,
        '',
      ].map((return_to) => ({ client_id: further, return_to })),
    ];
    for (const query of refused)
      for (const path of ['/profile', '/sessions', '/apps']) {
        const page = await agent.open(account(path, query));
        expect(page.status).to.equal(200);
        expect(linkBack(page.html), JSON.stringify(query)).to.equal(undefined);
        expect(page.html).to.not.contain('evil.test').and.not.contain('return_to');
      }
    const twice = await agent.open(
      `${account('/profile', { client_id: further, return_to: SETTINGS })}&return_to=https://evil.test`,
    );
    expect(linkBack(twice.html)).to.equal(undefined);
    for (const state of [
      `profile..${Buffer.from(JSON.stringify({ client_id: further, return_to: 'https://evil.test' })).toString('base64url')}`,
      'profile..%%%',
      `profile..${Buffer.from('null').toString('base64url')}`,
      `profile..${Buffer.from('["a"]').toString('base64url')}`,
    ]) {
      const page = await agent.open(account('/signed-in', { code: 'x', state }));
      expect(page.url).to.equal(account('/profile').replace('?', ''));
      expect(linkBack(page.html)).to.equal(undefined);
    }
    const post = await agent.submit(
      await agent.open(account('/profile')),
      { client_id: further, return_to: 'https://evil.test/' },
      { ending: '/profile' },
    );
    expect(post.url).to.not.contain('evil.test');
    await latchkey.admin('PATCH', `/apps/shop/clients/${further}`, { disabled: true });
    const disabled = await agent.open(account('/profile', { client_id: further, return_to: SETTINGS }));
    expect(linkBack(disabled.html), 'of a client that is switched off').to.equal(undefined);
  });

  it('takes return addresses by the rules of redirect URIs', async () => {
    const refusals: [object, string][] = [
      [{ type: 'web', settings: { return_uris: ['http://shop.example/'] } }, 'settings.return_uris.0'],
      [
        { type: 'web', settings: { return_uris: [SETTINGS, 'javascript:alert(1)'] } },
        'settings.return_uris.1',
      ],
      [{ type: 'web', settings: { return_uris: ['https://*.shop.example/'] } }, 'settings.return_uris.0'],
      [{ type: 'service', settings: { return_uris: [SETTINGS] } }, 'settings.return_uris'],
    ];
    for (const [client, field] of refusals) {
      const { status, body } = await latchkey.admin('POST', '/apps/shop/clients', { name: 'X', ...client });
      expect(status, JSON.stringify(body)).to.equal(400);
      expect(body.field ?? body.errors?.[0]?.field).to.equal(field);
    }
  });
});
