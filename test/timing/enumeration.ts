// `npm run test:timing`: whether an address with an account takes longer than one without. Not part of `npm test`: it
// takes a quarter of an hour. TIMING_PAIRS sets how many answers of each kind are measured.
import { randomInt } from 'node:crypto';
import { hashSync } from '@node-rs/bcrypt';
import { expect } from 'chai';
import type { Statement } from '../../src/storage/sql.ts';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { askForCode, askForLink, begin, freshEmail, makeApp, makeUser, PASSWORD } from '../sign-in/people.ts';
import { judge, lookTwice, type Pair, type Verdict } from './pairs.ts';

const PAIRS = Number(process.env['TIMING_PAIRS'] ?? 200);
const WARM_UP = 10;

type Way = (agent: Agent, page: Page, email: string) => Promise<Page>;

/** On another page of the interaction, which is opened before the clock runs. */
const pages: Record<string, string> = { recovery: '/forgot', 'sign-up': '/sign-up' };

const ways: Record<string, Way> = {
  'sign-in': (agent, page, email) =>
    agent.submit(page, { email, password: 'not the right one at all' }, { ending: '/password' }),
  'sign-up': (agent, page, email) =>
    agent.submit(page, { email, password: PASSWORD }, { ending: '/sign-up' }),
  recovery: (agent, page, email) => agent.submit(page, { email }, { ending: '/forgot' }),
  'magic link': askForLink,
  'e-mail code': askForCode,
};

type Flow = { appId: string; way: string; account: Record<string, unknown> };

describe('the time an answer takes, for an address with an account and for one without', function () {
  this.timeout(7_200_000);
  let lk: TestLatchkey;
  let plain: string;
  let migrated: string;
  /** A leak made for the purpose: so much longer takes every look-up of an account that is there. */
  let leak = { ms: 0, email: '' };
  const leakNow = ({ text, values }: Statement) => {
    if (leak.ms === 0 || !text.includes('from identifiers e') || !values.includes(leak.email)) return;
    for (const end = performance.now() + leak.ms; performance.now() < end; );
  };
  const elsewhere = () => ({
    password: undefined,
    password_hash: hashSync(`secret ${randomInt(2 ** 40)}`, { cost: 8 }),
  });

  before(async () => {
    lk = await startTestLatchkey({ observe: leakNow });
    plain = await makeApp(lk, { methods: { email_code: true } });
    migrated = await makeApp(lk);
    await makeUser(lk, migrated, elsewhere());
  });
  after(() => lk.stop());

  async function took({ appId, way }: Flow, email: string): Promise<number> {
    await quiet();
    const agent = lk.agent();
    let page = await begin(agent, appId);
    if (pages[way]) page = await agent.open(`${new URL(page.url).pathname}${pages[way]}`);
    const start = performance.now();
    const answer = await ways[way]!(agent, page, email);
    const ms = performance.now() - start;
    expect(answer.status).to.be.oneOf([200, 400]);
    return ms;
  }

  /** What one network may ask is not what is measured here; nor what an earlier answer left to be done. */
  async function quiet(): Promise<void> {
    await lk.sql("delete from ephemeral where key like 'rate:%'");
    while ((await lk.sql('select 1 from jobs where attempts < 2 limit 1')).length > 0);
  }

  /** Everybody is new: an address that was asked for before leaves rows of its own. */
  async function pairOf(flow: Flow, leakMs: number): Promise<Pair> {
    const { email } = await makeUser(lk, flow.appId, flow.account);
    leak = { ms: leakMs, email };
    if (randomInt(2) === 0) return [await took(flow, email), await took(flow, freshEmail())];
    const without = await took(flow, freshEmail());
    return [await took(flow, email), without];
  }

  async function look(title: string, flow: Flow, leakMs = 0): Promise<Verdict> {
    const pairs: Pair[] = [];
    for (let i = 0; i < WARM_UP + PAIRS; i += 1) {
      const pair = await pairOf(flow, leakMs);
      if (i >= WARM_UP) pairs.push(pair);
    }
    const verdict = judge(pairs);
    const [shift, spread, p] = [verdict.shift.toFixed(2), verdict.spread.toFixed(1), verdict.p.toFixed(4)];
    console.log(
      `      ${title}: ${shift} ms apart, single pairs ${spread} ms, p = ${p}, ${pairs.length} pairs`,
    );
    return verdict;
  }

  const expectAlike = async (title: string, flow: Flow): Promise<void> => {
    const { isApart, shift, p } = await lookTwice(() => look(title, flow));
    expect(isApart, `${shift.toFixed(2)} ms apart, p = ${p.toFixed(4)}, twice`).to.equal(false);
  };

  for (const way of Object.keys(ways))
    it(`#51 is the same for ${way}`, () => expectAlike(way, { appId: plain, way, account: {} }));

  for (const whose of ['ours', 'theirs'] as const) {
    it(`#51 is the same for sign-in where some passwords came from elsewhere, this one is ${whose}`, () => {
      const account = whose === 'theirs' ? elsewhere() : {};
      return expectAlike(`sign-in, ${whose}`, { appId: migrated, way: 'sign-in', account });
    });
  }

  it('finds a leak of a few milliseconds that was planted in the look-up of accounts', async () => {
    const flow = { appId: plain, way: 'recovery', account: {} };
    const { spread } = await look('recovery, nothing planted', flow);
    // Four milliseconds where the machine is quiet; among answers that differ by a second they are nobody's to find.
    const leakMs = Math.max(4, spread / 2);
    const { isApart, shift } = await lookTwice(() =>
      look(`recovery, ${leakMs.toFixed(1)} ms planted`, flow, leakMs),
    );
    expect(isApart).to.equal(true);
    expect(shift).to.be.greaterThan(leakMs / 4);
  });
});
