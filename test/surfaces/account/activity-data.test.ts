import { expect } from 'chai';
import type { Agent, Page } from '../../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../../support/app.ts';
import { makeApp, makeUser, PASSWORD, signedIn, type TestClient } from '../../support/sign-in.ts';
import { codesOn, secretOn, totpCode } from '../../support/totp.ts';
import { refresh } from '../../support/token-calls.ts';

const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';

describe('activity and data on the account pages', function () {
  this.timeout(120_000);
  let latchkey: TestLatchkey;
  let shop: TestClient;
  let userId: string;
  let email: string;
  let people = 0;

  before(async () => {
    latchkey = await startTestLatchkey();
    shop = await makeApp(latchkey, 'shop');
  });
  after(() => latchkey.stop());
  beforeEach(async () => {
    email = `ada${(people += 1)}@example.com`;
    userId = await makeUser(latchkey, 'shop', email, { metadata: { note: 'only for operators' } });
  });

  const account = (page = ''): string => `${latchkey.baseUrl}/auth/shop/account${page}`;
  const enter = async (headers: Record<string, string> = {}): Promise<Agent> =>
    (await signedIn(latchkey, shop, { email, agent: latchkey.agent(headers) })).agent;
  const entries = (page: Page): string[] =>
    [...page.html.matchAll(/<div class="apps-name">\s*<strong>([^<]*)<\/strong>/g)].map(([, what]) => what!);

  it('tell what happened in plain words, with device and time, and nothing of others', async () => {
    const neighbour = `neighbour${people}@example.com`;
    await makeUser(latchkey, 'shop', neighbour);
    await signedIn(latchkey, shop, {
      email: neighbour,
      agent: latchkey.agent({ 'user-agent': 'Opera/9.80' }),
    });
    const here = await enter({ 'user-agent': FIREFOX });
    await enter();
    await latchkey.admin('PATCH', `/apps/shop/users/${userId}`, { profile: { name: 'Ada' } });
    const page = await here.open(account('/activity'));
    expect(entries(page)).to.deep.equal([
      'Details of the account changed',
      'Signed in from a new browser',
      'Signed in',
      'The account was made',
    ]);
    expect(page.html).to.contain('Firefox on Windows').and.contain('By an administrator');
    expect(page.html)
      .to.not.contain('Opera')
      .and.not.contain('break_glass')
      .and.not.match(/[a-z]+\.[a-z]+_[a-z]/);
    expect(page.html.match(/href="#not-me"/g)).to.have.length(2);
    const done = await here.submit(page, {}, { ending: '/sessions/end-others' });
    expect(done.html).to.contain('You are signed out everywhere else.');
    const german = await here.open(account('/activity?ui_locales=de'));
    expect(entries(german)[0]).to.equal('Abgemeldet');
  });

  it('tell it a page at a time, each event once', async () => {
    const here = await enter();
    await latchkey.sql(
      `insert into audit_events (app_id, event_id, type, actor_type, user_id, result)
       select 'shop', 'evt_0000-' || lpad(i::text, 4, '0'), 'sign_in.failed', 'anonymous', $1, 'failure' from generate_series(1, 70) i`,
      [userId],
    );
    const counts: number[] = [];
    for (let url: string | undefined = account('/activity'); url; ) {
      const page: Page = await here.open(url);
      counts.push(entries(page).length);
      const link = /href="([^"]*after=[^"]*)">Earlier/.exec(page.html)?.[1];
      url = link?.replaceAll('&amp;', '&');
    }
    expect(counts).to.deep.equal([30, 30, 12]);
    expect((await here.open(account(`/activity?after=${encodeURIComponent("evt_'x")}`))).status).to.equal(
      200,
    );
  });

  it('tell of a browser that was never seen by mail, but not of the first one nor of a known one', async () => {
    const first = await enter({ 'user-agent': FIREFOX });
    await signedIn(latchkey, shop, { email, agent: first, parameters: { prompt: 'login' } });
    const second = await enter({ 'user-agent': FIREFOX });
    const [mail, ...others] = await latchkey.mailsTo(email);
    expect(others).to.deep.equal([]);
    expect(mail!.subject).to.contain('new sign-in');
    expect(mail!.text).to.contain('Firefox on Windows').and.contain(account('/sessions'));
    expect(mail!.text).to.match(/127\.0\.0\.1|::1/);
    await signedIn(latchkey, shop, { email, agent: second, parameters: { prompt: 'login' } });
    const third = await enter();
    expect(await latchkey.mailsTo(email, 2)).to.have.length(2);
    expect((await third.open(account('/sessions'))).html.match(/<li>/g)!.length).to.be.greaterThan(2);
  });

  it('give people everything that is known of them, and no secret', async () => {
    const { agent, tokens } = await signedIn(latchkey, shop, {
      email,
      agent: latchkey.agent({ 'user-agent': FIREFOX }),
    });
    const page = await agent.open(account('/data'));
    const got = await agent.submit(page, {}, { ending: '/data/download' });
    expect(got.headers.get('content-type')).to.match(/^application\/json/);
    expect(got.headers.get('content-disposition')).to.equal('attachment; filename="shop-account.json"');
    expect(got.headers.get('cache-control')).to.equal('no-store');
    const file = JSON.parse(got.html);
    expect(file.account).to.include({ user_id: userId, email, email_verified: true });
    expect(file.is_complete).to.equal(true);
    expect(file.sessions[0]).to.include({ user_agent: FIREFOX });
    expect(file.applications[0]).to.include({ name: 'SHOP' });
    expect(file.applications[0].scopes).to.include('email');
    expect(file.devices).to.have.length(1);
    expect(file.activity.map(({ type }: { type: string }) => type)).to.include.members([
      'user.created',
      'sign_in.succeeded',
    ]);
    for (const [, value] of agent.cookies()) expect(got.html).to.not.contain(value);
    for (const word of [
      tokens.access_token,
      tokens.refresh_token!,
      PASSWORD,
      '$argon2',
      'only for operators',
      'digest',
    ])
      expect(got.html).to.not.contain(word);
    const [event] = await latchkey.sql(
      `select result from audit_events where user_id = $1 and type = 'user.data_downloaded'`,
      [userId],
    );
    expect(event).to.deep.equal({ result: 'success' });
  });

  it('give people what is known of their second factors, and no seed, code, cookie or digest of one', async () => {
    const agent = await enter({ 'user-agent': FIREFOX });
    const read = async () =>
      (await agent.submit(await agent.open(account('/data')), {}, { ending: '/data/download' })).html;
    expect(JSON.parse(await read())).to.deep.include({
      authenticator_app: null,
      recovery_codes: null,
      trusted_browsers: [],
    });
    const setup = await agent.open(account('/factors/totp'));
    const secret = secretOn(setup);
    const code = totpCode(secret);
    const codes = codesOn(await agent.submit(setup, { code }, { ending: '/factors/totp' }));
    const asked = await agent.open(account('/factors/prove'));
    const form = await agent.open(asked.url.replace('/totp', '/recovery-code'));
    const shown = { code: codes[0]!, remember_device: 'yes' };
    await agent.submit(form, shown, { ending: '/recovery-code' });
    const text = await read();
    const file = JSON.parse(text);
    expect(Object.keys(file.authenticator_app)).to.deep.equal(['created_at', 'last_used_at']);
    expect(file.recovery_codes.remaining).to.equal(9);
    expect(Object.keys(file.recovery_codes)).to.have.members(['created_at', 'remaining']);
    expect(file.trusted_browsers).to.have.length(1);
    expect(file.trusted_browsers[0].name).to.equal('Firefox on Windows');
    for (const date of [file.authenticator_app.created_at, file.trusted_browsers[0].expires_at])
      expect(Number.isNaN(Date.parse(date))).to.equal(false);
    const rows = await latchkey.sql(
      `select seed as secret from totp_authenticators where user_id = $1 union all select digest from recovery_codes where user_id = $1
       union all select digest from trusted_devices where user_id = $1`,
      [userId],
    );
    expect(rows).to.have.length(12);
    const cookie = agent.cookie('lk_trust.shop')!;
    for (const word of [secret, cookie, ...codes, ...rows.map((row) => row['secret'])])
      expect(text).to.not.contain(word);
  });

  it('#36 delete the account of whoever types its address, with all that hangs on it', async () => {
    const { agent, tokens, configuration } = await signedIn(latchkey, shop, { email });
    const page = await agent.open(account('/data'));
    for (const confirm of ['', 'yes', `x${email}`]) {
      const refused = await agent.submit(page, { confirm }, { ending: '/data/delete' });
      expect(refused.status).to.equal(400);
      expect(refused.html).to.contain('Nothing was deleted.');
    }
    expect((await latchkey.admin('GET', `/apps/shop/users/${userId}`)).status).to.equal(200);
    const done = await agent.submit(page, { confirm: email.toUpperCase() }, { ending: '/data/delete' });
    expect(done.html).to.contain('Your account is deleted');
    expect((await latchkey.mailWith(email, 'was deleted')).subject).to.contain('was deleted');
    expect((await latchkey.admin('GET', `/apps/shop/users/${userId}`)).status).to.equal(404);
    expect((await refresh(configuration, shop, tokens.refresh_token!)).body.error).to.equal('invalid_grant');
    expect((await agent.open(account('/profile'))).url).to.contain('/interaction/');
  });

  it('leave deleting to the operators where the app says so', async () => {
    const agent = await enter();
    const page = await agent.open(account('/data'));
    await latchkey.admin('PATCH', '/apps/shop', { settings: { self_deletion: false } });
    try {
      expect((await agent.open(account('/data'))).html).to.not.contain('data/delete');
      expect((await agent.submit(page, { confirm: email }, { ending: '/data/delete' })).status).to.equal(404);
    } finally {
      await latchkey.admin('PATCH', '/apps/shop', { settings: { self_deletion: true } });
    }
    expect((await latchkey.admin('GET', `/apps/shop/users/${userId}`)).status).to.equal(200);
  });

  it('#57 ask for a sign-in of late before data are given or erased', async () => {
    const agent = await enter();
    const page = await agent.open(account('/data'));
    await latchkey.sql(
      `update sessions set payload = jsonb_set(payload, '{loginTs}', to_jsonb((payload ->> 'loginTs')::bigint - 960)) where user_id = $1`,
      [userId],
    );
    for (const [ending, fields] of [
      ['/data/download', {}],
      ['/data/delete', { confirm: email }],
    ] as const)
      expect((await agent.submit(page, fields, { ending })).url).to.contain('/interaction/');
    expect((await agent.open(account('/data'))).html).to.contain('First, sign in once more');
    expect((await latchkey.admin('GET', `/apps/shop/users/${userId}`)).status).to.equal(200);
  });
});
