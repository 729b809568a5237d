import { expect } from 'chai';
import type { Argon2 } from '../../src/sign-in/passwords/argon2.ts';
import type { Agent, Page } from '../support/agent.ts';
import { startTestLatchkey, type TestLatchkey } from '../support/app.ts';
import {
  authorizeUrl,
  begin,
  freshEmail,
  isSignedIn,
  linkTo,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  signInWithPassword,
} from './people.ts';

const NEXT = 'seven copper umbrellas tonight';
const PREFIX = '$argon2id$v=19$m=19456,t=2,p=1$';
const encoded = (password: string): string => `${PREFIX}${Buffer.from(password).toString('base64url')}$x`;

/** Quick, until it is held: then nothing is finished before it is let go. */
function heldArgon2() {
  let free = (): void => {};
  let held: Promise<void> | undefined;
  const compared: string[] = [];
  const argon2: Argon2 = {
    name: 'argon2',
    async hash(password) {
      await held;
      return encoded(password);
    },
    async verify(hash, password) {
      await held;
      compared.push(password);
      return hash === encoded(password);
    },
  };
  const hold = (): void => {
    held = new Promise((resolve) => {
      free = resolve;
    });
  };
  const letGo = (): void => {
    held = undefined;
    free();
  };
  return { argon2, compared, hold, letGo };
}

const until = async (what: () => Promise<boolean> | boolean): Promise<void> => {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 10));
};

async function gaugeOf(lk: TestLatchkey, name: string): Promise<number> {
  const text = await (await fetch(`${lk.baseUrl}/metrics`)).text();
  return Number(new RegExp(`^latchkey_${name} (\\S+)`, 'm').exec(text)?.[1]);
}

async function workerOf(lk: TestLatchkey, appId: string): Promise<() => Promise<Response>> {
  const { body } = await lk.admin('POST', `/apps/${appId}/clients`, {
    name: 'Worker',
    type: 'service',
    scopes: ['orders:read'],
  });
  const basic = Buffer.from(`${body.client_id}:${body.client_secret}`).toString('base64');
  return () =>
    fetch(`${lk.baseUrl}/auth/${appId}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read' }),
    });
}

describe('a queue of hashes that is full', () => {
  const held = heldArgon2();
  let lk: TestLatchkey;
  let appId: string;
  before(async function () {
    this.timeout(180_000);
    // Two have their turn, of whom one hashes; one waits.
    lk = await startTestLatchkey({ hashing: { argon2: held.argon2, atOnce: 1, queueLimit: 2 } });
    appId = await makeApp(lk);
  });
  afterEach(() => held.letGo());
  after(() => lk.stop());

  const failures = async (): Promise<number> =>
    (await lk.sql<{ sum: number }>('select coalesce(sum(failures), 0)::int as sum from sign_in_failures'))[0]!
      .sum;
  const gauge = (name: string): Promise<number> => gaugeOf(lk, name);
  const submit = (agent: Agent, page: Page, fields: Record<string, string>) =>
    agent.submit(page, fields, { ending: '/password' });

  it('is answered 503 at every door that hashes, counts no attempt, and tokens go on', async () => {
    const { email } = await makeUser(lk, appId);
    const token = await workerOf(lk, appId);
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const at = new URL(page.url).pathname;
    const signUp = await agent.open(`${at}/sign-up`);
    const recovery = lk.agent();
    const forgot = await recovery.open(`${new URL((await begin(recovery, appId)).url).pathname}/forgot`);
    await recovery.submit(forgot, { email }, { ending: '/forgot' });
    const reset = await recovery.open(await linkTo(lk, email));
    const invited = await makeUser(lk, appId, {
      password: undefined,
      email_verified: false,
      send_invitation: true,
    });
    const invitation = await recovery.open(await linkTo(lk, invited.email));
    const owner = lk.agent();
    await owner
      .open(`/auth/${appId}/account`)
      .then((one) => submit(owner, one, { email, password: PASSWORD }));
    const account = await owner.open(`/auth/${appId}/account/password`);
    const before = await failures();

    held.hold();
    const filling = Array.from({ length: 4 }, () => submit(agent, page, { email, password: 'wrong' }));
    const refused = await Promise.race(filling);
    const doors = [
      refused,
      await submit(agent, page, { email, password: PASSWORD }),
      await agent.submit(signUp, { email: freshEmail(), password: NEXT }, { ending: '/sign-up' }),
      await recovery.submit(reset, { new_password: NEXT }),
      await recovery.submit(invitation, { new_password: NEXT }),
      await owner.submit(
        account,
        { current_password: PASSWORD, new_password: NEXT },
        { ending: '/account/password' },
      ),
    ];
    for (const { status, headers, html, url } of doors) {
      expect(status, url).to.equal(503);
      expect(Number(headers.get('retry-after')), url).to.be.greaterThan(0);
      expect(html, url).to.contain('Many people are signing in right now');
    }
    const api = await lk.admin('POST', `/apps/${appId}/users`, { email: freshEmail(), password: NEXT });
    expect([api.status, api.body.code]).to.deep.equal([503, 'password.busy']);
    for (let i = 0; i < 10; i += 1) expect((await token()).status).to.equal(200);

    // Two have their turn and were counted before their hash; the third has only waited.
    await until(async () => (await failures()) === before + 2);
    expect(await failures()).to.equal(before + 2);
    held.letGo();
    const statuses = (await Promise.all(filling)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).to.deep.equal([400, 400, 400, 503]);
    expect(await failures()).to.equal(before + 3);
    expect(isSignedIn(await submit(agent, page, { email, password: PASSWORD }))).to.equal(true);
  });

  it('computes and counts nothing for a client that has gone', async () => {
    const { email } = await makeUser(lk, appId);
    const agent = lk.agent();
    const page = await begin(agent, appId);
    const before = await failures();
    const idle = await gauge('requests_under_way');
    held.hold();
    const inTurn = [1, 2].map(() => submit(agent, page, { email, password: 'wrong' }));
    await until(async () => (await failures()) === before + 2);
    const leaving = new AbortController();
    const impatient = lk.agent();
    for (const [name, value, path] of agent.cookies()) impatient.setCookie(name, value, path);
    const fields = new URLSearchParams({
      csrf: /name="csrf" value="([^"]*)"/.exec(page.html)![1]!,
      email,
      password: 'gone',
    });
    const gone = impatient
      .send(`${new URL(page.url).pathname}/password`, {
        method: 'POST',
        headers: { origin: impatient.origin },
        body: fields,
        signal: leaving.signal,
      })
      .catch(() => 'gone');
    await until(async () => (await gauge('password_hashes_waiting')) === 1);
    leaving.abort();
    expect(await gone).to.equal('gone');
    await until(async () => (await gauge('requests_under_way')) === idle + 2);
    held.letGo();
    await Promise.all(inTurn);
    expect(isSignedIn(await submit(agent, page, { email, password: PASSWORD }))).to.equal(true);
    expect(held.compared).not.to.include('gone');
  });
});

describe('more people who begin to sign in than can be served', () => {
  let behind = 0;
  let lk: TestLatchkey;
  let appId: string;
  let email: string;
  before(async function () {
    this.timeout(180_000);
    lk = await startTestLatchkey({ behind: () => behind });
    appId = await makeApp(lk);
    ({ email } = await makeUser(lk, appId));
  });
  afterEach(async () => {
    behind = 0;
    await until(async () => (await gaugeOf(lk, 'sign_ins_refused_share')) === 0);
  });
  after(() => lk.stop());

  const ask = (at: string, headers: Record<string, string> = { accept: 'text/html' }) =>
    fetch(authorizeUrl(lk.baseUrl, at), { redirect: 'manual', headers });
  /** The process falls behind, and somebody is the first who is refused. */
  const refusedAt = async (at: string): Promise<Response> => {
    behind = 4;
    for (;;) {
      const answer = await ask(at);
      if (answer.status === 503) return answer;
      expect(answer.status).to.equal(303);
    }
  };

  it('are refused with a page and Retry-After, and taken in again afterwards', async () => {
    const refused = await refusedAt(appId);
    expect(Number(refused.headers.get('retry-after'))).to.be.within(2, 7);
    expect(refused.headers.get('content-type')).to.contain('text/html');
    expect(refused.headers.get('cache-control')).to.equal('no-store');
    expect(refused.headers.getSetCookie()).to.deep.equal([]);
    const page = await refused.text();
    expect(page).to.contain('Many people are signing in right now').and.to.contain('Corner Shop');
    let json = await ask(appId, { accept: 'application/json' });
    while (json.status !== 503) json = await ask(appId, { accept: 'application/json' });
    expect(await json.json()).to.include({ status: 503, code: 'sign_in.busy' });
    const text = await (await fetch(`${lk.baseUrl}/metrics`)).text();
    expect(Number(/^latchkey_sign_ins_refused_total (\d+)/m.exec(text)![1])).to.be.greaterThan(0);

    behind = 0;
    for (let takenIn = 0; takenIn < 20; ) takenIn = (await ask(appId)).status === 303 ? takenIn + 1 : 0;
  });

  it('leave those who are under way, those with a session and tokens alone', async () => {
    const token = await workerOf(lk, appId);
    const early = lk.agent();
    const page = await begin(early, appId);
    const known = lk.agent();
    expect(isSignedIn(await signInWithPassword(known, appId, email))).to.equal(true);
    await refusedAt(appId);
    for (let i = 0; i < 10; i += 1) {
      expect(isSignedIn(await begin(known, appId))).to.equal(true);
      const silent = await begin(lk.agent(), appId, { prompt: 'none' });
      expect(new URL(silent.url).searchParams.get('error')).to.equal('login_required');
      expect((await token()).status).to.equal(200);
      expect((await ask(appId)).status).to.be.oneOf([303, 503]);
    }
    const done = await early.submit(page, { email, password: PASSWORD }, { ending: '/password' });
    expect(isSignedIn(done), done.html).to.equal(true);
    expect((await redeem(lk, appId, done)).status).to.equal(200);
  });

  it('do not take the place of those of another app', async () => {
    const quiet = await makeApp(lk);
    await refusedAt(appId);
    // As far behind as is aimed at: neither more nor fewer are refused from now on.
    behind = 1;
    let refused = 0;
    for (let i = 0; i < 40; i += 1) {
      const all = await Promise.all([ask(appId), ask(appId), ask(appId), ask(appId)]);
      refused += all.filter(({ status }) => status === 503).length;
      if (i % 5 === 0) expect((await ask(quiet)).status).to.equal(303);
    }
    expect(refused).to.be.greaterThan(0);
  });

  it('are refused where they ask to be asked again, and at the page of devices', async () => {
    const known = lk.agent();
    expect(isSignedIn(await signInWithPassword(known, appId, email))).to.equal(true);
    await refusedAt(appId);
    const again = authorizeUrl(lk.baseUrl, appId, { prompt: 'login' });
    while ((await known.send(again)).status !== 503);
    const stranger = { accept: 'text/html', cookie: `lk_ses.${appId}=x; lk_ses.${appId}.sig=x` };
    while ((await ask(appId, stranger)).status !== 503);
    while ((await lk.agent().send(`/auth/${appId}/device`)).status !== 503);
  });
});
