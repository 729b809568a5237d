import { expect } from 'chai';
import { begin, isSignedIn, makeUser, redeem, signInWithPassword } from '../sign-in/people.ts';
import type { Agent, Page } from '../support/agent.ts';
import type { TestLatchkey } from '../support/app.ts';
import { addPasskey, answer, type Authenticator, offered } from '../support/passkeys.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import type { Worker } from './traffic.ts';

/** People with each kind of factor, signed in. */
export type Factors = {
  holder: { agent: Agent; authenticator: Authenticator };
  guarded: { agent: Agent; email: string; userId: string; secret: string; codes: string[] };
};

const account = (shop: string, page: string): string => `/auth/${shop}/account${page}`;

export async function makeFactors(lk: TestLatchkey, shop: string): Promise<Factors> {
  const agent = lk.agent();
  await signInWithPassword(agent, shop, (await makeUser(lk, shop)).email);
  const { authenticator, page: added } = await addPasskey(agent, shop);
  expect(added.url, added.html).to.contain('done=passkey_added');
  const other = lk.agent();
  const person = await makeUser(lk, shop);
  await signInWithPassword(other, shop, person.email);
  const page = await other.open(account(shop, '/factors/totp'));
  const secret = secretOn(page);
  const shown = await other.submit(page, { code: totpCode(secret) }, { ending: '/factors/totp' });
  const codes = codesOn(shown);
  expect(codes).to.have.length(10);
  return { holder: { agent, authenticator }, guarded: { agent: other, ...person, secret, codes } };
}

async function expectIn(lk: TestLatchkey, shop: string, page: Page): Promise<void> {
  expect(isSignedIn(page), `${page.url} ${page.html.slice(0, 1000)}`).to.equal(true);
  expect((await redeem(lk, shop, page)).status).to.equal(200);
}

export function factorWorkers(lk: TestLatchkey, shop: string, { holder, guarded }: Factors): Worker[] {
  return [
    {
      name: 'signs in with a passkey',
      pause: 200,
      async round() {
        const agent = lk.agent();
        const page = await begin(agent, shop);
        await expectIn(lk, shop, await answer(agent, page, holder.authenticator.get(offered(page))));
      },
    },
    {
      name: 'shows a code as second factor',
      pause: 200,
      async round() {
        // As if the last code had been used minutes ago.
        await lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [
          guarded.userId,
        ]);
        const agent = lk.agent();
        const due = await signInWithPassword(agent, shop, guarded.email);
        const code = totpCode(guarded.secret);
        await expectIn(lk, shop, await agent.submit(due, { code }, { ending: '/second-factor/totp' }));
      },
    },
    {
      name: 'looks at the account pages',
      pause: 200,
      round: () => lookAround(shop, holder.agent),
    },
  ];
}

export async function lookAround(shop: string, agent: Agent): Promise<void> {
  for (const page of ['/profile', '/factors', '/sessions', '/apps', '/activity']) {
    const { status, url } = await agent.open(account(shop, page));
    expect([page, status, new URL(url).pathname]).to.deep.equal([page, 200, account(shop, page)]);
  }
}

/** With a recovery code in place of the second factor: the next that was not used yet. */
export async function recover(lk: TestLatchkey, shop: string, { guarded }: Factors): Promise<void> {
  const agent = lk.agent();
  const due = await signInWithPassword(agent, shop, guarded.email);
  const asked = await agent.open(due.url.replace(/\/totp$/, '/recovery-code'));
  const code = guarded.codes.pop()!;
  const done = await agent.submit(asked, { code }, { ending: '/recovery-code' });
  // A page that tells how many are left may come first.
  await expectIn(lk, shop, done);
}
