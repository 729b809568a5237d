import { expect } from 'chai';
import type { Statement } from '../../src/storage/sql.ts';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { askForLink, begin, freshEmail, makeApp, makeUser, PASSWORD } from './people.ts';

describe('an address with an account and one without', () => {
  let lk: TestLatchkey;
  let appId: string;
  let seen: string[] | undefined;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ observe: (statement: Statement) => seen?.push(statement.text) });
    appId = await makeApp(lk);
  });
  after(() => lk.stop());

  const ways: Record<string, (agent: Agent, page: Page, email: string) => Promise<Page>> = {
    'a wrong password': (agent, page, email) =>
      agent.submit(page, { email, password: 'not the right one at all' }, { ending: '/password' }),
    'a sign-in link': askForLink,
    'a wrong code': async (agent, page, email) =>
      agent.submit(await askForLink(agent, page, email), { code: '123456' }, { ending: '/code' }),
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
  // The worker looks for jobs, and the registry for a newer revision of the app, in their own time.
  const isOfRequest = (text: string): boolean =>
    (!/\bjobs\b/.test(text) || /insert into jobs/.test(text)) &&
    !/^select revision\b.*\bfrom apps\b/s.test(text);

  for (const [name, way] of Object.entries(ways)) {
    it(`get the same status, page, headers and statements for ${name}`, async () => {
      const { email } = await makeUser(lk, appId);
      const answers = [];
      for (const address of [email, freshEmail(), email]) {
        const agent = lk.agent();
        const page = await begin(agent, appId);
        seen = [];
        const answer = await way(agent, page, address);
        const statements = seen.filter(isOfRequest);
        seen = undefined;
        answers.push({
          status: answer.status,
          html: answer.html
            .replaceAll(address, 'X')
            .replace(/(nonce|value|action|formaction|href)="[^"]*"/g, ''),
          headers: [...answer.headers].filter(
            ([key]) => !/^(date|x-request-id|etag|content-length|content-security-policy)$/.test(key),
          ),
          statements,
        });
      }
      expect(answers[1]).to.deep.equal(answers[2]);
      expect(answers[1]!.statements.length).to.be.greaterThan(1);
    });
  }
});
