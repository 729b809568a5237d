import { isSignedIn, makeUser, redeem, signInWithPassword } from '../sign-in/people.ts';
import type { Agent, Page } from '../support/agent.ts';
import { codesOn, secretOn, totpCode } from '../support/totp.ts';
import type { Stage } from './harness.ts';

export type Person = { appId: string; email: string; userId: string; agent: Agent };
export type Protected = Person & { secret: string; codes: string[] };

const made = new WeakMap<Stage, Map<string, Promise<unknown>>>();

/** One for all trials of a stage: making people is most of what a trial takes. */
export function shared<T>(stage: Stage, name: string, make: () => Promise<T>): Promise<T> {
  let all = made.get(stage);
  if (!all) made.set(stage, (all = new Map()));
  if (!all.has(name)) all.set(name, make());
  return all.get(name) as Promise<T>;
}

export async function signedInPerson(stage: Stage, appId = stage.shop): Promise<Person> {
  const { email, userId } = await makeUser(stage.lk, appId);
  const agent = stage.agent();
  await signInWithPassword(agent, appId, email);
  return { appId, email, userId, agent };
}

export const account = (appId: string, page: string): string => `/auth/${appId}/account/${page}`;

/** Somebody with an authenticator app, recovery codes, and a session that has shown both proofs. */
export async function protectedPerson(stage: Stage): Promise<Protected> {
  const person = await signedInPerson(stage);
  const { agent, appId } = person;
  const page = await agent.open(account(appId, 'factors/totp'));
  const secret = secretOn(page);
  const shown = await agent.submit(page, { code: totpCode(secret) }, { ending: '/factors/totp' });
  await freshSteps(stage, person.userId);
  const asked = await agent.open(account(appId, 'factors/prove'));
  await agent.submit(asked, { code: totpCode(secret) }, { ending: '/second-factor/totp' });
  return { ...person, secret, codes: codesOn(shown) };
}

/** As if the last code had been used minutes ago. */
export const freshSteps = (stage: Stage, userId: string) =>
  stage.lk.sql('update totp_authenticators set last_step = last_step - 10 where user_id = $1', [userId]);

/** How many rows of each kind there are of somebody. */
export async function countsOf(
  stage: Stage,
  userId: string,
  what: Record<string, string>,
): Promise<Record<string, number>> {
  const columns = Object.entries(what).map(
    ([name, from]) => `(select count(*)::int from ${from.replace('$', 'user_id = $1')}) as ${name}`,
  );
  const [row] = await stage.lk.sql<Record<string, number>>(`select ${columns.join(', ')}`, [userId]);
  return row!;
}

/** Events of one kind, as something to count. */
export const events = (type: string): string => `audit_events where $ and type = '${type}'`;

/**
 * 'before' where nothing of `grown` came since `begun`, 'after' where all of it did, equally often; else what came.
 * People may do again what they were not told was done.
 */
export function stateOf(
  begun: Record<string, number>,
  now: Record<string, number>,
  grown: Record<string, number>,
): 'before' | 'after' | object {
  const times = Object.entries(grown).map(([name, by]) => (now[name]! - begun[name]!) / by);
  if (times.every((one) => one === 0)) return 'before';
  return times.every((one) => one > 0 && one === times[0]) ? 'after' : { begun, now };
}

export async function expectWorth(stage: Stage, appId: string, page: Page | undefined): Promise<void> {
  if (!page || !isSignedIn(page)) throw new Error(`not signed in at ${page?.url}`);
  const { status } = await redeem(stage.lk, appId, page);
  if (status !== 200) throw new Error(`the code is worth nothing: ${status}`);
}
