import { fastestArgon2 } from '../src/sign-in/passwords/argon2.ts';
import { Browser, lineTo } from './http-client.ts';
import { type Admin, emailOf, PASSWORD, type Target, USERS } from './targets.ts';
import { authorization, clientCredentials, signIn, UnexpectedAnswer } from './workloads.ts';

/** People enough that no two of them are the same person at the same moment. */
const PEOPLE = 300;
/** Whoever drives a server into overload must not be what breaks first. */
const MOST_AT_ONCE = 600;
const TOKEN_CLIENTS = 4;
const TOKEN_EVERY_MS = 40;

/**
 * Three times as many sign-ins as the server can finish, beside a steady hundred tokens a second (design §8). An open
 * loop: people do not wait until the server has time for them.
 */
export async function overload(
  target: Target,
  { admin, peak, ms }: { admin: Admin; peak: number; ms: number },
): Promise<Record<string, number>> {
  await addPeople(admin);
  const state: State = { ended: false, done: 0, excess: [], underWay: 0 };
  const tokens: number[] = [];
  const clients = Array.from({ length: TOKEN_CLIENTS }, (_, slot) =>
    askSteadily(target, slot, { state, tokens }),
  );
  const begun = performance.now();
  const flows: Promise<void>[] = [];
  for (let count = 0; performance.now() - begun < ms; ) {
    const due = ((performance.now() - begun) / 1000) * peak * 3;
    for (; count < due; count += 1)
      if (state.underWay < MOST_AT_ONCE) flows.push(oneSignIn(target, USERS + (count % PEOPLE), state));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const finished = state.done;
  const seconds = (performance.now() - begun) / 1000;
  state.ended = true;
  await Promise.all([...flows, ...clients]);
  return {
    overload_goodput: finished / seconds / peak,
    // Nobody was refused where the machine was too slow to bring so many.
    ...(state.excess.length > 0 ? { overload_excess_ms: quantile(state.excess, 0.99) } : {}),
    overload_token_p99: quantile(tokens, 0.99),
    overload_refused: state.excess.length,
  };
}

type State = { ended: boolean; done: number; excess: number[]; underWay: number };

/** With one hash for all: what is measured is comparing. */
async function addPeople(admin: Admin): Promise<void> {
  const hash = await (await fastestArgon2()).hash(PASSWORD);
  for (let user = USERS; user < USERS + PEOPLE; user += 1)
    await admin('POST', '/apps/bench/users', {
      email: emailOf(user),
      password_hash: hash,
      email_verified: true,
    });
}

async function oneSignIn(target: Target, user: number, state: State): Promise<void> {
  state.underWay += 1;
  const connection = lineTo(target);
  const browser = new Browser(connection);
  try {
    await signIn(browser, target, { path: authorization(target, 'openid email').path, user });
    state.done += 1;
  } catch (error) {
    const isRefusal = error instanceof UnexpectedAnswer && (error.status === 503 || error.status === 429);
    // Once it is over, connections may end as they like.
    if (!isRefusal && !state.ended) throw error;
    if (isRefusal) state.excess.push(browser.lastMs);
  } finally {
    connection.close();
    state.underWay -= 1;
  }
}

async function askSteadily(
  target: Target,
  slot: number,
  { state, tokens }: { state: State; tokens: number[] },
): Promise<void> {
  const ask = await clientCredentials('es256').begin(target, slot);
  for (let due = performance.now(); !state.ended; due += TOKEN_EVERY_MS) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    await ask();
    // From when it was due, so that one slow answer is not one slow answer alone.
    tokens.push(performance.now() - due);
  }
}

function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
