// `npm run test:timing`: whether an address with an account takes longer than one without. Not part of `npm test`: it
// takes minutes, and its answer is statistical. TIMING_SAMPLES sets how many of each are measured.
import { randomInt } from 'node:crypto';
import { hashSync } from '@node-rs/bcrypt';
import { expect } from 'chai';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import { askForCode, askForLink, begin, freshEmail, makeApp, makeUser, PASSWORD } from '../sign-in/people.ts';
import { median, rankTest } from './two-samples.ts';

const SAMPLES = Number(process.env['TIMING_SAMPLES'] ?? 300);
const WARM_UP = 20;
/** Row #51 of the checklist: p > 0.01, or medians closer than what a network hides. */
const LEAST_P = 0.01;
const MOST_MS = 5;

type Way = (agent: Agent, page: Page, email: string) => Promise<Page>;

const guess: Way = (agent, page, email) =>
  agent.submit(page, { email, password: 'not the right one at all' }, { ending: '/password' });

/** On another page of the interaction, which is opened before the clock runs. */
const pages: Record<string, string> = { recovery: '/forgot', 'sign-up': '/sign-up' };

const ways: Record<string, Way> = {
  'sign-in': guess,
  'sign-up': (agent, page, email) =>
    agent.submit(page, { email, password: PASSWORD }, { ending: '/sign-up' }),
  recovery: (agent, page, email) => agent.submit(page, { email }, { ending: '/forgot' }),
  'magic link': askForLink,
  'e-mail code': askForCode,
};

describe('the time an answer takes, for an address with an account and for one without', function () {
  this.timeout(3_600_000);
  let lk: TestLatchkey;
  let plain: string;
  let migrated: string;
  const accounts: Record<'ours' | 'in the migrated app' | 'theirs', string[]> = {
    ours: [],
    'in the migrated app': [],
    theirs: [],
  };
  before(async () => {
    lk = await startTestLatchkey();
    plain = await makeApp(lk, { methods: { email_code: true } });
    migrated = await makeApp(lk);
    for (let i = 0; i < 10; i += 1) {
      accounts.ours.push((await makeUser(lk, plain)).email);
      accounts['in the migrated app'].push((await makeUser(lk, migrated)).email);
      const elsewhere = { password: undefined, password_hash: hashSync(`secret ${i}`, { cost: 8 }) };
      accounts.theirs.push((await makeUser(lk, migrated, elsewhere)).email);
    }
  });
  after(() => lk.stop());

  /** Milliseconds for addresses with an account and for others, in an order nobody can guess. */
  async function measure(
    appId: string,
    emails: readonly string[],
    name: string,
  ): Promise<[number[], number[]]> {
    const samples: [number[], number[]] = [[], []];
    for (let i = 0; samples[0].length < SAMPLES || samples[1].length < SAMPLES; i += 1) {
      const which = (samples[0].length >= SAMPLES ? 1 : samples[1].length >= SAMPLES ? 0 : randomInt(2)) as
        | 0
        | 1;
      const email = which === 0 ? emails[randomInt(emails.length)]! : freshEmail();
      // What one network and one address may ask is not what is measured here.
      await lk.sql("delete from ephemeral where key like 'rate:%' or key like 'mailed-count%'");
      await lk.sql('delete from sign_in_failures');
      const agent = lk.agent();
      let page = await begin(agent, appId);
      if (pages[name]) page = await agent.open(`${new URL(page.url).pathname}${pages[name]}`);
      const start = performance.now();
      const answer = await ways[name]!(agent, page, email);
      const took = performance.now() - start;
      expect(answer.status).to.be.oneOf([200, 400]);
      if (i >= WARM_UP) samples[which].push(took);
    }
    return samples;
  }

  async function expectAlike(
    title: string,
    appId: string,
    emails: readonly string[],
    name: string,
  ): Promise<void> {
    const [known, unknown] = await measure(appId, emails, name);
    const [p, apart] = [rankTest(known, unknown), median(known) - median(unknown)];
    const figures = `${median(known).toFixed(2)} ms with an account, ${median(unknown).toFixed(2)} ms without, p = ${p.toFixed(3)}`;
    console.log(`      ${title}: ${figures}, ${known.length} of each`);
    expect(p > LEAST_P || Math.abs(apart) < MOST_MS, figures).to.equal(true);
  }

  for (const name of Object.keys(ways)) {
    it(`#51 is the same for ${name}`, () => expectAlike(name, plain, accounts.ours, name));
  }

  for (const whose of ['in the migrated app', 'theirs'] as const) {
    it(`#51 is the same for sign-in where some passwords came from elsewhere (${whose})`, () =>
      expectAlike(`sign-in, ${whose}`, migrated, accounts[whose], 'sign-in'));
  }

  it('is told apart by this test where it differs', async () => {
    const near = Array.from({ length: SAMPLES }, () => 40 + randomInt(1000) / 100);
    expect(
      rankTest(
        near,
        near.map((ms) => ms + randomInt(100) / 1000),
      ),
    ).to.be.greaterThan(LEAST_P);
    expect(
      rankTest(
        near,
        near.map((ms) => ms + 6),
      ),
    ).to.be.lessThan(LEAST_P);
  });
});
