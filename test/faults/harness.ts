import { expect } from 'chai';
import type { Statement } from '../../src/storage/sql.ts';
import { makeApp } from '../sign-in/people.ts';
import type { Agent, Page } from '../support/agent.ts';
import { type Driver, startTestLatchkey, type TestLatchkey } from '../support/app.ts';

const MARK = 'injected fault';
const withCode = (code: string, message: string): Error =>
  Object.assign(new Error(`${MARK}: ${message}`), { code });

type Moment = 'statement' | 'commit' | 'asked' | 'answered';

/** What goes wrong, and when: before it is done, or after, so that only the answer is lost. */
export const kinds = {
  'a statement is refused': {
    moment: 'statement',
    make: () => withCode('57P01', 'terminating connection due to administrator command'),
  },
  'a bug is met': { moment: 'statement', make: () => new Error(`${MARK}: select secret from users`) },
  'the answer to a commit is lost': {
    moment: 'commit',
    make: () => new Error(`Connection terminated unexpectedly, ${MARK}`),
  },
  'Redis is away': { moment: 'asked', make: () => withCode('ECONNREFUSED', 'connect') },
  'an answer of Redis is lost': { moment: 'answered', make: () => withCode('ECONNRESET', 'read') },
} as const satisfies Record<string, { moment: Moment; make: () => Error }>;
export type Kind = keyof typeof kinds;

export const kindsOn: Record<Driver, readonly Kind[]> = {
  postgres: ['a statement is refused', 'a bug is met', 'the answer to a commit is lost'],
  redis: [
    'a statement is refused',
    'the answer to a commit is lost',
    'Redis is away',
    'an answer of Redis is lost',
  ],
};

/** Postgres alone is tried on Postgres alone. */
export const sampleOn: typeof kindsOn = {
  postgres: kindsOn.postgres,
  redis: ['Redis is away', 'an answer of Redis is lost'],
};

/** The question every two seconds whether the app has changed, of whichever request comes then. */
const isChore = ({ text }: Statement): boolean => /select revision\b/.test(text);

/**
 * Counts that are kept in the process while the store is away (design §5), the one loss that may go unnoticed, and
 * the cache of what Postgres knows.
 */
const isSpared = (statement: Statement): boolean =>
  statement.text.includes('insert into ephemeral') &&
  statement.values.some((value) => String(value).startsWith('rate:'));

export type Stage = {
  lk: TestLatchkey;
  /** One that leaves a second factor to people, and one that requires it. */
  shop: string;
  strict: string;
  /** A browser in a network of its own: what one network may ask is not what is tested here. */
  agent(): Agent;
  stop(): Promise<void>;
  /** How often each moment came while `work` ran. */
  counting(work: () => Promise<unknown>): Promise<Record<Moment, number>>;
  /** Runs `work` with the n-th moment from now failing. */
  failing<T>(kind: Kind, n: number, work: () => Promise<T>): Promise<{ result: T; met: boolean }>;
};

export async function startStage(driver: Driver): Promise<Stage> {
  let counts: Record<Moment, number> | undefined;
  let fault: { kind: Kind; until: number; met: boolean } | undefined;
  const meet = (moment: Moment): void => {
    if (counts) counts[moment] += 1;
    if (!fault || fault.until === 0 || kinds[fault.kind].moment !== moment) return;
    fault.until -= 1;
    if (fault.until > 0) return;
    fault.met = true;
    throw kinds[fault.kind].make();
  };
  const lk = await startTestLatchkey({
    driver,
    env: { TRUSTED_PROXIES: '127.0.0.1/32,::1/128' },
    observe: (statement) => {
      if (!isChore(statement) && !isSpared(statement)) meet('statement');
    },
    observeCommit(statements) {
      const changes = statements.filter(({ text }) => !/^\s*select\b(?!.*for update)/.test(text));
      if (changes.some((one) => !isChore(one) && !isSpared(one))) meet('commit');
    },
    observeRedis: meet,
  });
  let networks = 0;
  return {
    lk,
    shop: await makeApp(lk, { methods: { email_code: true } }),
    strict: await makeApp(lk, { second_factor: 'required' }),
    agent() {
      networks += 1;
      return lk.agent({ 'x-forwarded-for': `198.${18 + (networks >> 8)}.${networks & 255}.7` });
    },
    stop: () => lk.stop(),
    async counting(work) {
      const all = { statement: 0, commit: 0, asked: 0, answered: 0 };
      counts = all;
      await work();
      counts = undefined;
      return all;
    },
    async failing(kind, n, work) {
      const here = { kind, until: n, met: false };
      fault = here;
      const result = await work();
      fault = undefined;
      return { result, met: here.met };
    },
  };
}

/** What went out says nothing of what went wrong, and whether it makes sense to come back. */
export function expectCleanFailure(page: Page): void {
  const said = `${page.status} ${page.url}\n${page.html}`;
  expect(page.status, said.slice(0, 500)).to.be.within(400, 503);
  if (page.status === 503) expect(Number(page.headers.get('retry-after'))).to.be.greaterThan(0);
  expect(said).to.not.include(MARK);
  expect(said).to.not.match(
    /\bat .+\.(ts|js):\d+|node_modules|\b(select|insert into|update) .*\b(from|values|set)\b|57P01|ECONN/,
  );
  expect(said).to.not.match(/access_token|refresh_token|[?&]code=/);
}

/** One request of one person, who is at the page that sends it. */
export type Trial = {
  attempt(): Promise<Page>;
  /** Whether the answer says that it is done. */
  isDone(page: Page): boolean;
  /** What the stores hold: all of it, nothing of it, or else what is there by halves. */
  state(): Promise<'before' | 'after' | object>;
  /**
   * What the person does where sending the same again did not do it; ends with it done. `state` is what the stores
   * held after the failure, and `again` the page that sending it again came to.
   */
  anew?(state: 'before' | 'after', again: Page): Promise<void>;
  /** What was done works, and once. */
  works?(): Promise<void>;
};
export type Flow = { name: string; begin(stage: Stage): Promise<Trial> };

/** How often each moment comes in a flow where nothing goes wrong. */
export async function measure(stage: Stage, flow: Flow): Promise<Record<Moment, number>> {
  const trial = await flow.begin(stage);
  let page: Page | undefined;
  const counts = await stage.counting(async () => {
    page = await trial.attempt();
  });
  expect(trial.isDone(page!), `${page!.status} ${page!.url} ${page!.html.slice(0, 500)}`).to.equal(true);
  expect(await trial.state()).to.equal('after');
  await trial.works?.();
  return counts;
}

/** Lets the n-th moment fail, and says whether it came to that. */
export async function fail(stage: Stage, flow: Flow, at: { kind: Kind; n: number }): Promise<boolean> {
  const trial = await flow.begin(stage);
  const { result: page, met } = await stage.failing(at.kind, at.n, () => trial.attempt());
  const state = await trial.state();
  expect(state, JSON.stringify(state)).to.be.oneOf(['before', 'after']);
  if (trial.isDone(page)) expect(state, 'it says that it is done').to.equal('after');
  else {
    expect(met, `${page.status} ${page.url} ${page.html.slice(0, 500)}`).to.equal(true);
    expectCleanFailure(page);
    const again = await trial.attempt();
    const isThere = trial.isDone(again) && (await trial.state()) === 'after';
    if (!isThere) {
      const said = `${state}, and the next try came to ${again.status} ${again.url} ${again.html.slice(0, 300)}`;
      expect(trial.anew !== undefined || state === 'after', said).to.equal(true);
      await trial.anew?.(state as 'before' | 'after', again);
    }
    expect(await trial.state()).to.equal('after');
  }
  await trial.works?.();
  return met;
}

export const momentOf = (kind: Kind): Moment => kinds[kind].moment;
