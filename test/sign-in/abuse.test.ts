import { expect } from 'chai';
import type { Statement } from '../../src/storage/sql.ts';
import { isEmailDomainAllowed } from '../../src/users/email-domains.ts';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  askForCode,
  askForLink,
  begin,
  freshEmail,
  isSignedIn,
  makeApp,
  makeUser,
  PASSWORD,
  signInWithPassword,
} from './people.ts';

const signUp = async (agent: Agent, appId: string, email: string): Promise<Page> => {
  const page = await begin(agent, appId);
  const form = await agent.open(`${new URL(page.url).pathname}/sign-up`);
  return agent.submit(form, { email, password: PASSWORD }, { ending: '/sign-up' });
};

describe('domains of addresses', () => {
  const rules = {
    sign_up: 'open',
    email_domains_allowed: [],
    email_domains_denied: [],
    disposable_emails: 'refuse',
  } as const;
  const isAllowed = (email: string, change: Partial<Parameters<typeof isEmailDomainAllowed>[1]> = {}) =>
    isEmailDomainAllowed(email, { ...rules, ...change });

  it('are refused where they are disposable, with all below them and nothing beside them', () => {
    expect(isAllowed('ada@mailinator.com')).to.equal(false);
    expect(isAllowed('ada@any.of.mailinator.com')).to.equal(false);
    expect(isAllowed('ada@zzqqmailinator.com')).to.equal(true);
    expect(isAllowed('ada@mailinator.com.example')).to.equal(true);
    expect(isAllowed('ada@mailinator.com', { disposable_emails: 'allow' })).to.equal(true);
    expect(isAllowed('ada@mailinator.com', { email_domains_allowed: ['Mailinator.com'] })).to.equal(true);
  });

  it('are compared label by label and in one form', () => {
    const denied = { email_domains_denied: ['Bücher.example', 'corp.example'] };
    expect(isAllowed('ada@xn--bcher-kva.example', denied)).to.equal(false);
    expect(isAllowed('ada@mail.corp.example', denied)).to.equal(false);
    expect(isAllowed('ada@mycorp.example', denied)).to.equal(true);
    const restricted = { sign_up: 'domain_restricted', email_domains_allowed: ['corp.example'] } as const;
    expect(isAllowed('ada@corp.example', restricted)).to.equal(true);
    expect(isAllowed('ada@mail.corp.example', restricted)).to.equal(true);
    expect(isAllowed('ada@corp.example.net', restricted)).to.equal(false);
    expect(
      isAllowed('ada@sub.corp.example', { ...restricted, email_domains_denied: ['sub.corp.example'] }),
    ).to.equal(false);
    expect(isAllowed('ada@corp.example', { ...restricted, email_domains_allowed: [] })).to.equal(false);
  });
});

describe('abuse of the sign-in pages', () => {
  let lk: TestLatchkey;
  let appId: string;
  let seen: Statement[] | undefined;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ observe: (statement: Statement) => seen?.push(statement) });
    appId = await makeApp(lk, { methods: { email_code: true } });
  });
  after(() => lk.stop());

  const settings = async (change: Record<string, unknown>) => {
    const answer = await lk.admin('PATCH', `/apps/${appId}`, { settings: change });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  };
  const counts = (what: string) =>
    lk.sql<{ key: string; value: string }>(
      `select key, value from ephemeral where app_id = $1 and key like 'rate:sign-in:${what}:%' order by key`,
      [appId],
    );
  const forget = (what: string) =>
    lk.sql(`delete from ephemeral where app_id = $1 and key like 'rate:sign-in:${what}:%'`, [appId]);

  it('keeps who may sign up to what the app says, whoever has an account, and lets operators do as they like', async () => {
    await settings({ disposable_emails: 'refuse', email_domains_denied: ['rival.example'] });
    const users = [];
    for (const email of ['ada@mailinator.com', 'ada@mail.rival.example']) {
      const made = await lk.admin('POST', `/apps/${appId}/users`, {
        email,
        password: PASSWORD,
        email_verified: true,
      });
      expect(made.status).to.equal(201);
      users.push(email);
    }
    for (const email of [...users, 'eve@mailinator.com', 'eve@mail.rival.example', 'EVE＠Mailinator．com']) {
      const page = await signUp(lk.agent(), appId, email);
      expect([page.status, /Addresses of that provider/.test(page.html)], email).to.deep.equal([400, true]);
    }
    // Those who are in stay in.
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, users[0]!))).to.equal(true);
    await settings({ sign_up: 'domain_restricted', email_domains_allowed: ['Corp.Example'] });
    expect((await signUp(lk.agent(), appId, freshEmail())).status).to.equal(400);
    expect((await signUp(lk.agent(), appId, 'new@eu.corp.example')).url).to.match(/\/sign-up\/sent$/);
    await settings({
      sign_up: 'open',
      email_domains_allowed: [],
      email_domains_denied: [],
      disposable_emails: 'allow',
    });
    expect((await signUp(lk.agent(), appId, 'eve@mailinator.com')).url).to.match(/\/sign-up\/sent$/);
  });

  it('refuses settings that name no domain', async () => {
    for (const bad of ['@corp.example', 'https://corp.example', 'corp..example', 'corp example', '']) {
      const answer = await lk.admin('PATCH', `/apps/${appId}`, {
        settings: { email_domains_allowed: [bad] },
      });
      expect(answer.status, bad).to.equal(400);
    }
  });

  it('#48 answers a password of a megabyte at once, and looks nothing up for it', async () => {
    const { email } = await makeUser(lk, appId);
    for (const [size, status] of [
      [1_000_000, 400],
      [1_200_000, 413],
    ] as const) {
      // Folding would make each of these eighteen characters.
      for (const letter of size === 1_000_000 ? ['x', '\ufdfa'] : ['x']) {
        const bytes = new TextEncoder().encode(encodeURIComponent(letter)).length;
        const password = letter.repeat(Math.floor(size / bytes));
        const agent = lk.agent();
        const page = await begin(agent, appId);
        seen = [];
        const answer = await agent.submit(page, { email, password }, { ending: '/password' });
        const lookedUp = seen.filter(({ text }) => /passwords|sign_in_failures|identifiers/.test(text));
        seen = undefined;
        expect([answer.status, lookedUp.length], letter).to.deep.equal([status, 0]);
        const form = await agent.open(`${new URL(page.url).pathname}/sign-up`);
        const refused = await agent.submit(form, { email: freshEmail(), password }, { ending: '/sign-up' });
        expect(refused.status).to.equal(status);
      }
    }
  });

  it('#50 counts the real peer, whatever X-Forwarded-For says or however malformed it is', async () => {
    await forget('secrets');
    const { email } = await makeUser(lk, appId);
    const headers = [
      '203.0.113.1',
      '203.0.113.2, 10.0.0.1',
      'a',
      '',
      ',,,',
      '::ffff:1.2.3.4',
      '999.1.1.1',
      'unknown',
    ];
    for (const [i, header] of headers.entries()) {
      const agent = lk.agent({ 'x-forwarded-for': header });
      expect(isSignedIn(await signInWithPassword(agent, appId, email, `wrong guess number ${i}`))).to.equal(
        false,
      );
    }
    const rows = await counts('secrets');
    expect(rows.map(({ value }) => Number(value))).to.deep.equal([headers.length]);
    // Nor does it get around the lock of the account.
    const agent = lk.agent({ 'x-forwarded-for': '198.51.100.7' });
    expect(isSignedIn(await signInWithPassword(agent, appId, email))).to.equal(false);
    await lk.sql('update ephemeral set value = $1 where app_id = $2 and key = $3', [
      '300',
      appId,
      rows[0]!.key,
    ]);
    const one = await makeUser(lk, appId);
    const limited = await signInWithPassword(
      lk.agent({ 'x-forwarded-for': '198.51.100.8' }),
      appId,
      one.email,
    );
    expect(limited.status).to.equal(429);
    await forget('secrets');
    expect(isSignedIn(await signInWithPassword(lk.agent(), appId, one.email))).to.equal(true);
  });

  it('counts the mails of a network over all addresses, in five minutes and in an hour', async () => {
    await forget('mails');
    const ask = async (way: typeof askForLink) => {
      const agent = lk.agent();
      return way(agent, await begin(agent, appId), freshEmail());
    };
    await ask(askForLink);
    await ask(askForCode);
    const rows = await counts('mails');
    expect(rows.map(({ value }) => Number(value))).to.deep.equal([2, 2]);
    const hour = rows.find(({ key }) => key.includes(':3600:'))!;
    await lk.sql('update ephemeral set value = $1 where app_id = $2 and key = $3', ['300', appId, hour.key]);
    for (const way of [askForLink, askForCode]) {
      const answer = await ask(way);
      expect(answer.status).to.equal(429);
      expect(Number(answer.headers.get('retry-after'))).to.be.greaterThan(0);
    }
    await forget('mails');
    expect((await ask(askForLink)).status).to.equal(200);
  });
});

describe('addresses behind a proxy', () => {
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ env: { TRUSTED_PROXIES: '127.0.0.1,::1,10.0.0.0/8' } });
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  it('#50 are the last that the proxy saw: what stands before it is not believed, and nothing skips the count', async () => {
    const rowsAfter = async (header: string) => {
      await lk.sql("delete from ephemeral where key like 'rate:sign-in:secrets:%'");
      const agent = lk.agent({ 'x-forwarded-for': header });
      await signInWithPassword(agent, appId, freshEmail(), 'a wrong guess of many');
      return lk.sql<{ key: string; value: string }>(
        "select key, value from ephemeral where key like 'rate:sign-in:secrets:%'",
      );
    };
    const key = async (header: string) => {
      const rows = await rowsAfter(header);
      expect(
        rows.map(({ value }) => Number(value)),
        header,
      ).to.deep.equal([1]);
      return rows[0]!.key;
    };
    const real = await key('203.0.113.9');
    for (const header of [
      'a, 203.0.113.9',
      '198.51.100.1, 203.0.113.9',
      ', ,203.0.113.9',
      '203.0.113.9, 10.1.2.3',
    ])
      expect(await key(header), header).to.equal(real);
    expect(await key('203.0.113.10')).not.to.equal(real);
    const peer = await key('');
    for (const malformed of ['a', ',', '203.0.113.9, a', '999.1.1.1', `${'x,'.repeat(2000)}`])
      expect(await key(malformed), malformed.slice(0, 20)).to.equal(peer);
  });
});
