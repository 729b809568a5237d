import { expect } from 'chai';
import type * as oidc from 'openid-client';
import {
  askForLink,
  begin,
  isSignedIn,
  linkTo,
  makeApp as makePublicApp,
  makeUser as makePerson,
  redeem as redeemHere,
} from '../sign-in/people.ts';
import type { Agent, Page } from '../support/agent.ts';
import type { TestLatchkey } from '../support/app.ts';
import {
  authorizationRequest,
  makeApp,
  makeUser,
  PASSWORD,
  redeem,
  type Request,
  signedIn,
  signInByPassword,
  type TestClient,
} from '../support/sign-in.ts';
import { introspect, refresh, userinfo } from '../support/token-calls.ts';
import type { Worker } from './traffic.ts';

/** Who was there before: a client's server with secrets, tokens and sessions, and an app for browsers. */
export type Cast = { client: TestClient; shop: string; keepers: Keeper[]; workers: Worker[] };

/** Signed in before everything, with tokens and a session that are looked at at the end. */
export type Keeper = {
  email: string;
  agent: Agent;
  configuration: oidc.Configuration;
  refreshToken: string;
};

/** Begun before, finished later. */
export type Pending = { what: string; finish(): Promise<void> };

export async function makeCast(lk: TestLatchkey): Promise<Cast> {
  // Codes are redeemed programs and migrations later: a busy machine needs more than a minute for those.
  const client = await makeApp(lk, 'depot', { settings: { code_ttl: 600 } });
  const shop = await makePublicApp(lk);
  const keepers: Keeper[] = [];
  for (const kind of ['own', 'shared', 'own'] as const) keepers.push(await keeperOf(lk, client, kind));
  return {
    client,
    shop,
    keepers,
    workers: [
      await refresher(lk, client, 'own'),
      await refresher(lk, client, 'shared'),
      await returning(lk, client),
      await newcomer(lk, client),
      await operator(lk),
    ],
  };
}

let people = 0;
const freshPerson = async (lk: TestLatchkey): Promise<{ email: string; userId: string }> => {
  const email = `somebody-${(people += 1)}@example.com`;
  return { email, userId: await makeUser(lk, 'depot', email) };
};

async function keeperOf(lk: TestLatchkey, client: TestClient, kind: 'own' | 'shared'): Promise<Keeper> {
  const { email } = await freshPerson(lk);
  const { agent, configuration, tokens } = await signedIn(lk, client, { email, kind });
  return { email, agent, configuration, refreshToken: tokens.refresh_token! };
}

/** A client that lives on its refresh token, and an API that asks about what it brings. */
async function refresher(lk: TestLatchkey, client: TestClient, kind: 'own' | 'shared'): Promise<Worker> {
  const keeper = await keeperOf(lk, client, kind);
  return { name: `refreshes at the ${kind} issuer`, pause: 150, round: () => useTokens(client, keeper) };
}

export async function useTokens(client: TestClient, keeper: Keeper): Promise<void> {
  const { configuration } = keeper;
  const answer = await refresh(configuration, client, keeper.refreshToken);
  expect(answer.status, answer.text).to.equal(200);
  keeper.refreshToken = answer.body.refresh_token;
  const told = await userinfo(configuration, answer.body.access_token);
  expect([told.status, told.body?.email], told.text).to.deep.equal([200, keeper.email]);
  const known = await introspect(configuration, client, answer.body.access_token);
  expect(known.body?.active, known.text).to.equal(true);
}

/** Somebody whose session carries them from visit to visit. */
async function returning(lk: TestLatchkey, client: TestClient): Promise<Worker> {
  const keeper = await keeperOf(lk, client, 'own');
  return { name: 'returns without signing in', pause: 150, round: () => comeBack(keeper) };
}

export async function comeBack({ agent, configuration }: Keeper): Promise<void> {
  const request = await authorizationRequest(configuration, { prompt: 'none', scope: 'openid' });
  const page = await agent.open(request.url.href);
  expect(page.url, page.html).to.include('code=');
  await redeem(configuration, request, page.url);
}

/** Somebody who signs in with a password in a new browser each time. */
async function newcomer(lk: TestLatchkey, client: TestClient): Promise<Worker> {
  const { email, configuration } = await keeperOf(lk, client, 'shared');
  return {
    name: 'signs in with a password',
    pause: 200,
    async round() {
      const request = await authorizationRequest(configuration);
      const page = await signInByPassword(lk.agent(), request, email);
      expect(page.url, page.html.slice(0, 500)).to.include('code=');
      const tokens = await redeem(configuration, request, page.url);
      expect((await userinfo(configuration, tokens.access_token)).status).to.equal(200);
    },
  };
}

/** An operator's script: what it was told is written can be read. */
async function operator(lk: TestLatchkey): Promise<Worker> {
  const { userId } = await freshPerson(lk);
  let n = 0;
  return {
    name: 'writes and reads through the Admin API',
    pause: 150,
    async round() {
      n += 1;
      const path = `/apps/depot/users/${userId}`;
      const written = await lk.admin('PATCH', path, { metadata: { n } });
      expect(written.status, JSON.stringify(written.body)).to.equal(200);
      expect((await lk.admin('GET', path)).body?.metadata).to.deep.equal({ n });
      expect((await lk.admin('GET', '/apps/depot/audit-events?limit=5')).body?.items).to.have.length(5);
    },
  };
}

/** A mailed link, a sign-in page that is open, and a code that is on its way, each begun now. */
export async function leaveOpen(lk: TestLatchkey, { client, shop, keepers }: Cast): Promise<Pending[]> {
  const [{ configuration }] = keepers as [Keeper];
  const reader = { agent: lk.agent(), ...(await makePerson(lk, shop)) };
  await askForLink(reader.agent, await begin(reader.agent, shop), reader.email);
  const link = await linkTo(lk, reader.email);
  const typist = { agent: lk.agent(), ...(await freshPerson(lk)) };
  const typed = await authorizationRequest(configuration);
  const form = await typist.agent.open(typed.url.href);
  const sender = await freshPerson(lk);
  const sent = await authorizationRequest(configuration);
  const callback = await signInByPassword(lk.agent(), sent, sender.email);
  const code = async (request: Request, page: Page): Promise<void> => {
    expect(page.url, page.html.slice(0, 500)).to.include('code=');
    await redeem(configuration, request, page.url);
  };
  return [
    {
      what: 'a mailed link',
      async finish() {
        const done = await reader.agent.submit(await reader.agent.open(link), {});
        expect(isSignedIn(done), done.html).to.equal(true);
        expect((await redeemHere(lk, shop, done)).status).to.equal(200);
      },
    },
    {
      what: 'a sign-in page',
      finish: async () =>
        code(
          typed,
          await typist.agent.submit(
            form,
            { email: typist.email, password: PASSWORD },
            { ending: '/password' },
          ),
        ),
    },
    { what: `a code of ${client.appId}`, finish: () => code(sent, callback) },
  ];
}
