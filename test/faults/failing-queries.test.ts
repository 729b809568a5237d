import { expect } from 'chai';
import * as oidc from 'openid-client';
import type { Agent, Page } from '../support/agent.ts';
import { type Driver, drivers, startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import type { Statement } from '../../src/storage/sql.ts';
import {
  authorizationRequest,
  discover,
  makeApp,
  makeUser,
  PASSWORD,
  type Request,
  signedIn,
  signInByPassword,
  SIGNED_OUT,
  type TestClient,
} from '../support/sign-in.ts';
import { type Answer, introspect, redeemCode, refresh, userinfo } from '../support/token-calls.ts';

/** The question every two seconds whether the app has changed, of whichever request comes then. */
const NOT_OF_THE_FLOW = /select revision\b/;
const MARK = 'injected fault';
const faults = {
  'an outage': () =>
    Object.assign(new Error(`${MARK}: terminating connection due to administrator command`), {
      code: '57P01',
    }),
  'a bug': () => new Error(`${MARK}: select secret from users`),
};

type Harness = {
  latchkey: TestLatchkey;
  shop: TestClient;
  /** Runs `work` with the n-th statement from now failing. Says whether it came to that. */
  failing<T>(n: number, work: () => Promise<T>): Promise<{ result: T; failed: boolean; spared: boolean }>;
};

/**
 * While the store is away a network's tries are counted in the process (design §5), and a browser that was signed in asks
 * for another code where the first one could not be kept: the losses that may go unnoticed.
 */
const mayGoUnnoticed = (statement: Statement): boolean =>
  /insert into ephemeral|delete from ephemeral/.test(statement.text) &&
  statement.values.some((value) => /^(?:rate|code|interaction):/.test(String(value)));

/** What went out says nothing of what went wrong, and whether it makes sense to come back. */
function expectCleanFailure(answer: { status: number; headers: Headers }, text: string): void {
  expect(answer.status, text.slice(0, 500)).to.be.within(400, 503);
  if (answer.status === 503) expect(Number(answer.headers.get('retry-after'))).to.be.greaterThan(0);
  expect(text).to.not.include(MARK);
  expect(text).to.not.match(
    /\bat .+\.(ts|js):\d+|node_modules|\b(select|insert into|update) .*\b(from|values|set)\b|57P01/,
  );
  expect(text).to.not.match(/access_token|refresh_token|[?&]code=/);
}

for (const driver of drivers) {
  for (const [what, fault] of Object.entries(faults)) {
    describe(`when a statement fails by ${what}, on ${driver}`, function () {
      this.timeout(120_000);
      let harness: Harness;
      before(async () => {
        harness = await startHarness(driver, fault);
      });
      after(() => harness.latchkey.stop());

      it('a password sign-in fails as a whole, and trying again signs in once', () =>
        eachStatement((n) => signInFailing(harness, n)));
      it('a code is still worth its tokens, once', () => eachStatement((n) => redemptionFailing(harness, n)));
      it('a refresh token is still worth its successor', () =>
        eachStatement((n) => refreshFailing(harness, n)));
      it('a sign-out ends the session with everything, or is still to be done', () =>
        eachStatement((n) => signOutFailing(harness, n)));
      it('userinfo and introspection never answer for what they could not look up', () =>
        eachStatement((n) => lookUpFailing(harness, n)));
    });
  }
}

/** n = 1, 2, 3 … until the flow passes untouched; each flow says whether its fault was met. */
async function eachStatement(flow: (n: number) => Promise<boolean>): Promise<void> {
  let n = 1;
  while (await flow(n)) n += 1;
  expect(n, 'no statement of the flow was observed').to.be.greaterThan(1);
  expect(n).to.be.lessThan(60);
}

async function startHarness(driver: Driver, fault: () => Error): Promise<Harness> {
  let until = 0;
  let missed: Statement | undefined;
  const latchkey = await startTestLatchkey({
    driver,
    observe(statement) {
      if (until === 0 || NOT_OF_THE_FLOW.test(statement.text)) return;
      until -= 1;
      if (until > 0) return;
      missed = statement;
      throw fault();
    },
  });
  const shop = await makeApp(latchkey, 'shop');
  return {
    latchkey,
    shop,
    async failing(n, work) {
      missed = undefined;
      until = n;
      const result = await work();
      until = 0;
      return { result, failed: missed !== undefined, spared: missed !== undefined && mayGoUnnoticed(missed) };
    },
  };
}

let people = 0;
async function somebody({ latchkey }: Harness): Promise<{ email: string; userId: string }> {
  const email = `person-${++people}@example.com`;
  return { email, userId: await makeUser(latchkey, 'shop', email) };
}

const liveRows = async (
  { latchkey }: Harness,
  userId: string,
): Promise<{ sessions: number; grants: number; tokens: number }> => {
  const [row] = await latchkey.sql(
    `select (select count(*)::int from sessions where user_id = $1 and ended_at is null) as sessions,
            (select count(*)::int from grants where user_id = $1 and revoked_at is null) as grants,
            (select count(*)::int from refresh_tokens where user_id = $1) as tokens`,
    [userId],
  );
  return row as { sessions: number; grants: number; tokens: number };
};

async function signInFailing(harness: Harness, n: number): Promise<boolean> {
  const { latchkey, shop } = harness;
  const { email, userId } = await somebody(harness);
  const configuration = await discover(latchkey, shop, 'shared');
  const request = await authorizationRequest(configuration);
  const agent = latchkey.agent();
  const form = await agent.open(request.url.href);
  const attempt = (): Promise<Page> =>
    agent.submit(form, { email, password: PASSWORD }, { ending: '/password' });
  const { result: page, failed, spared } = await harness.failing(n, attempt);
  if (!failed || (spared && !page.url.startsWith(agent.origin))) {
    await expectCode(harness, { configuration, request, page });
    expect(await liveRows(harness, userId)).to.deep.equal({ sessions: 1, grants: 1, tokens: 1 });
    return failed;
  }
  expectCleanFailure(page, page.html + page.url);
  expect(await liveRows(harness, userId)).to.deep.equal({ sessions: 0, grants: 0, tokens: 0 });
  expect(agent.cookieNames().filter((name) => name.startsWith('lk_ses.'))).to.deep.equal([]);
  // What a person does: reload what failed, or send the form again; and if that is over, start again at the app.
  const stopped = new URL(page.url).pathname;
  const again = stopped.includes('/interaction/') ? await attempt() : await agent.open(page.url);
  if (again.url.startsWith(agent.origin)) {
    expect(again.status).to.be.within(400, 410);
    const anew = await authorizationRequest(configuration);
    await expectCode(harness, {
      configuration,
      request: anew,
      page: await signInByPassword(agent, anew, email),
    });
  } else await expectCode(harness, { configuration, request, page: again });
  const rows = await liveRows(harness, userId);
  expect(rows).to.deep.equal({ sessions: 1, grants: 1, tokens: 1 });
  return true;
}

async function expectCode(
  { shop }: Harness,
  at: { configuration: oidc.Configuration; request: Request; page: Page },
): Promise<void> {
  expect(
    new URL(at.page.url).searchParams.has('code'),
    `${at.page.status} ${at.page.url} ${at.page.html.slice(0, 300)}`,
  ).to.equal(true);
  const answer = await redeemCode(at.configuration, shop, {
    callback: at.page.url,
    verifier: at.request.verifier,
  });
  expect(answer.status, answer.text).to.equal(200);
}

async function redemptionFailing(harness: Harness, n: number): Promise<boolean> {
  const { latchkey, shop } = harness;
  const { email, userId } = await somebody(harness);
  const configuration = await discover(latchkey, shop, 'shared');
  const request = await authorizationRequest(configuration);
  const { url: callback } = await signInByPassword(latchkey.agent(), request, email);
  const redeem = (): Promise<Answer> =>
    redeemCode(configuration, shop, { callback, verifier: request.verifier });
  const { result, failed } = await harness.failing(n, redeem);
  if (failed) {
    expectCleanFailure(result, result.text);
    expect((await liveRows(harness, userId)).tokens).to.equal(0);
  }
  const answer = failed ? await redeem() : result;
  expect(answer.status, answer.text).to.equal(200);
  expect((await userinfo(configuration, answer.body.access_token)).status).to.equal(200);
  expect((await redeem()).body.error).to.equal('invalid_grant');
  expect((await refresh(configuration, shop, answer.body.refresh_token)).status).to.equal(200);
  return failed;
}

async function refreshFailing(harness: Harness, n: number): Promise<boolean> {
  const { latchkey, shop } = harness;
  const { email, userId } = await somebody(harness);
  const { configuration, tokens } = await signedIn(latchkey, shop, { email });
  const use = (): Promise<Answer> => refresh(configuration, shop, tokens.refresh_token!);
  const { result, failed } = await harness.failing(n, use);
  if (failed) {
    expectCleanFailure(result, result.text);
    expect((await liveRows(harness, userId)).tokens).to.equal(1);
  }
  const answer = failed ? await use() : result;
  expect(answer.status, answer.text).to.equal(200);
  expect((await liveRows(harness, userId)).tokens).to.equal(2);
  expect((await refresh(configuration, shop, answer.body.refresh_token)).status).to.equal(200);
  return failed;
}

async function signOutFailing(harness: Harness, n: number): Promise<boolean> {
  const { latchkey, shop } = harness;
  const { email, userId } = await somebody(harness);
  const { agent, configuration, tokens } = await signedIn(latchkey, shop, { email });
  const url = oidc.buildEndSessionUrl(configuration, {
    id_token_hint: tokens.id_token!,
    post_logout_redirect_uri: SIGNED_OUT,
  });
  const page = await agent.open(url.href);
  const { result, failed } = await harness.failing(n, () => agent.submit(page, { logout: 'yes' }));
  if (failed) {
    expectCleanFailure(result, result.html + result.url);
    expect(await liveRows(harness, userId)).to.include({ sessions: 1, grants: 1 });
    expect(await stillSignedIn(agent, configuration)).to.equal(true);
  }
  const done = failed ? await agent.submit(await agent.open(url.href), { logout: 'yes' }) : result;
  expect(done.url).to.equal(SIGNED_OUT);
  expect(await liveRows(harness, userId)).to.include({ sessions: 0, grants: 0 });
  expect(await stillSignedIn(agent, configuration)).to.equal(false);
  expect((await introspect(configuration, shop, tokens.access_token)).body.active).to.equal(false);
  return failed;
}

async function stillSignedIn(agent: Agent, configuration: oidc.Configuration): Promise<boolean> {
  const silent = await authorizationRequest(configuration, { prompt: 'none', scope: 'openid' });
  return new URL((await agent.open(silent.url.href)).url).searchParams.has('code');
}

async function lookUpFailing(harness: Harness, n: number): Promise<boolean> {
  const { latchkey, shop } = harness;
  const { email } = await somebody(harness);
  const { configuration, tokens } = await signedIn(latchkey, shop, { email });
  const told = await harness.failing(n, () => userinfo(configuration, tokens.access_token));
  if (told.failed) {
    expectCleanFailure(told.result, told.result.text);
    expect(told.result.text).to.not.include(email);
  } else expect(told.result.status).to.equal(200);
  const looked = await harness.failing(n, () => introspect(configuration, shop, tokens.access_token));
  if (looked.failed) expectCleanFailure(looked.result, looked.result.text);
  else expect(looked.result.body.active).to.equal(true);
  expect((await userinfo(configuration, tokens.access_token)).status).to.equal(200);
  return told.failed || looked.failed;
}
