import { expect } from 'chai';
import type { Statement } from '../../src/storage/sql.ts';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, Authenticator, offered } from '../support/passkeys.ts';
import {
  askForCode,
  askForLink,
  begin,
  freshEmail,
  makeApp,
  makeUser,
  PASSWORD,
  signInWithPassword,
} from './people.ts';

describe('an address with an account and one without', () => {
  let lk: TestLatchkey;
  let appId: string;
  let seen: string[] | undefined;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ observe: (statement: Statement) => seen?.push(statement.text) });
    appId = await makeApp(lk, { methods: { email_code: true } });
  });
  after(() => lk.stop());

  const ways: Record<string, (agent: Agent, page: Page, email: string) => Promise<Page>> = {
    'a wrong password': (agent, page, email) =>
      agent.submit(page, { email, password: 'not the right one at all' }, { ending: '/password' }),
    'a sign-in link': askForLink,
    'a wrong code': async (agent, page, email) =>
      agent.submit(await askForLink(agent, page, email), { code: '123456' }, { ending: '/code' }),
    'a code by mail': askForCode,
    'a wrong code by mail': async (agent, page, email) =>
      agent.submit(await askForCode(agent, page, email), { code: '123456' }, { ending: '/code' }),
    recovery: async (agent, page, email) =>
      agent.submit(
        await agent.open(`${new URL(page.url).pathname}/forgot`),
        { email },
        { ending: '/forgot' },
      ),
    'sign-up': async (agent, page, email) =>
      agent.submit(
        await agent.open(`${new URL(page.url).pathname}/sign-up`),
        { email, password: PASSWORD },
        { ending: '/sign-up' },
      ),
  };
  // The registry looks for a newer revision of the app in its own time.
  const isOfRequest = (text: string): boolean => !/^select revision\b.*\bfrom apps\b/s.test(text);

  /** What one way of signing in shows and does. */
  async function seenOf(way: (agent: Agent, page: Page) => Promise<Page>) {
    const agent = lk.agent();
    const page = await begin(agent, appId);
    seen = [];
    const shown = await way(agent, page);
    const statements = seen.filter(isOfRequest);
    seen = undefined;
    return {
      status: shown.status,
      html: shown.html.replace(/(nonce|value|action|formaction|href|data-options)="[^"]*"/g, ''),
      headers: [...shown.headers].filter(
        ([key]) => !/^(date|x-request-id|etag|content-length|content-security-policy)$/.test(key),
      ),
      statements,
    };
  }

  it('#51 is told nothing of passkeys: one of nobody, of another app and with a bogus signature end alike', async () => {
    const owner = lk.agent();
    await signInWithPassword(owner, appId, (await makeUser(lk, appId)).email);
    const { authenticator: known } = await addPasskey(owner, appId);
    const foreignApp = await makeApp(lk);
    const stranger = lk.agent();
    await signInWithPassword(stranger, foreignApp, (await makeUser(lk, foreignApp)).email);
    const { authenticator: foreign } = await addPasskey(stranger, foreignApp);
    const unknown = new Authenticator(lk.baseUrl);
    const lies = [
      [unknown, { userHandle: 'AAAA' }],
      [unknown, { userHandle: known.handle }],
      [foreign, {}],
      [known, { isSignatureBogus: true }],
      [known, { userHandle: foreign.handle }],
    ] as const;
    const answers = [];
    for (const [one, lie] of lies)
      answers.push(await seenOf((agent, page) => answer(agent, page, one.get(offered(page), lie))));
    for (const one of answers) expect(one).to.deep.equal(answers[0]);
    expect(answers[0]!.status).to.equal(400);
    expect(answers[0]!.statements.join()).to.contain('from passkeys');
  });

  for (const [name, way] of Object.entries(ways)) {
    it(`get the same status, page, headers and statements for ${name}`, async () => {
      const { email } = await makeUser(lk, appId);
      const answers = [];
      for (const address of [email, freshEmail(), email]) {
        const one = await seenOf((agent, page) => way(agent, page, address));
        answers.push({ ...one, html: one.html.replaceAll(address, 'X') });
      }
      expect(answers[1]).to.deep.equal(answers[2]);
      expect(answers[1]!.statements.length).to.be.greaterThan(1);
    });
  }
});
