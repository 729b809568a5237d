import { getPriority, setPriority } from 'node:os';
import { fastestArgon2 } from '../src/sign-in/passwords/argon2.ts';
import { Browser, Connection } from './http-client.ts';
import { watchLateness } from './lateness.ts';
import { type Admin, emailOf, PASSWORD, type Target, USERS } from './targets.ts';
import { authorization, clientCredentials, signIn, UnexpectedAnswer } from './workloads.ts';

/** People enough that no two of them are the same person at the same moment. */
const PEOPLE = 300;
/** Whoever drives a server into overload must not be what breaks first: more are not brought, and that is reported. */
const MOST_AT_ONCE = 250;
const CLOSED_LOOP = 16;
const TOKEN_CLIENTS = 4;
const TOKEN_EVERY_MS = 40;
/** What was there before, and what the server learns in the first moments, belongs to neither sample. */
const SETTLING_MS = 2000;
/** Where the most that can be finished is looked for, nobody asks again at once. */
const REFUSED_PAUSE_MS = 250;

type Sample = {
  done: number;
  /** What refusals took, from when the request was written, without the time that this process was late itself. */
  refused: number[];
  /** Of them, those at the beginning; the others had come as far as the password. */
  beginnings: number;
  tokens: number[];
  notBrought: number;
  begun: number;
};
type Run = { target: Target; lost(): number; sample: Sample | undefined; ended: boolean; underWay: number };

/**
 * Three times as many sign-ins as the server can finish, beside a steady hundred tokens a second (design §8). An open
 * loop: people do not wait until the server has time for them. What it can finish is measured right before and after, in a
 * closed loop, beside the same tokens and with the same driver: on a machine with other work the minutes differ more than anything measured here.
 */
export async function overload(
  target: Target,
  { admin, ms }: { admin: Admin; ms: number },
): Promise<Record<string, number>> {
  await addPeople(admin);
  const { lost, stop } = watchLateness();
  const restore = preferSelf();
  const run: Run = { target, lost, sample: undefined, ended: false, underWay: 0 };
  const clients = Array.from({ length: TOKEN_CLIENTS }, (_, slot) => askSteadily(run, slot));
  const before = await peakOf(run, ms / 2);
  const own = process.cpuUsage();
  const lostBefore = lost();
  const { flows, sample, seconds } = await tooMany(run, before * 3, ms);
  const late = lost() - lostBefore;
  const used = process.cpuUsage(own);
  await Promise.all(flows);
  const after = await peakOf(run, ms / 2);
  run.ended = true;
  await Promise.all(clients);
  stop();
  restore();
  // Until it takes everybody in again: others measure after this.
  await pause(3000);
  const peak = (before + after) / 2;
  return {
    overload_peak_before: before,
    overload_peak_after: after,
    overload_offered: 3 * before,
    overload_finished: sample.done / seconds,
    overload_goodput: sample.done / seconds / peak,
    // Nobody was refused where the machine was too slow to bring so many.
    ...(sample.refused.length > 0
      ? {
          overload_excess_p50: quantile(sample.refused, 0.5),
          overload_excess_ms: quantile(sample.refused, 0.99),
          overload_refused_at_beginning: sample.beginnings / sample.refused.length,
        }
      : {}),
    overload_token_p99: quantile(sample.tokens, 0.99),
    overload_refused: sample.refused.length,
    overload_not_brought: sample.notBrought,
    overload_driver_late: late / ((seconds + SETTLING_MS / 1000) * 1000),
    overload_driver_cores: (used.user + used.system) / 1e6 / (seconds + SETTLING_MS / 1000),
  };
}

const newSample = (): Sample => ({
  done: 0,
  refused: [],
  beginnings: 0,
  tokens: [],
  notBrought: 0,
  begun: performance.now(),
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sign-ins a second with as many at once as keep it busy. */
async function peakOf(run: Run, ms: number): Promise<number> {
  let isOver = false;
  let user = 0;
  const loops = Array.from({ length: CLOSED_LOOP }, async () => {
    while (!isOver) if (!(await oneSignIn(run, USERS + (user++ % PEOPLE)))) await pause(REFUSED_PAUSE_MS);
  });
  await pause(SETTLING_MS / 2);
  const sample = (run.sample = newSample());
  await pause(ms);
  const perSecond = (sample.done / (performance.now() - sample.begun)) * 1000;
  run.sample = undefined;
  isOver = true;
  await Promise.all(loops);
  return perSecond;
}

async function tooMany(run: Run, perSecond: number, ms: number) {
  const flows: Promise<unknown>[] = [];
  const begun = performance.now();
  let sample = newSample();
  for (let count = 0; performance.now() - begun < SETTLING_MS + ms; await pause(5)) {
    if (!run.sample && performance.now() - begun >= SETTLING_MS) run.sample = sample = newSample();
    const due = ((performance.now() - begun) / 1000) * perSecond;
    for (; count < due; count += 1)
      if (run.underWay < MOST_AT_ONCE) flows.push(oneSignIn(run, USERS + (count % PEOPLE)));
      else sample.notBrought += 1;
  }
  const seconds = (performance.now() - sample.begun) / 1000;
  run.sample = undefined;
  return { flows, sample, seconds };
}

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

/** False: it was refused. */
async function oneSignIn(run: Run, user: number): Promise<boolean> {
  const { target } = run;
  run.underWay += 1;
  const connection = new Connection(target.port, target.port, run.lost);
  const browser = new Browser(connection);
  try {
    await signIn(browser, target, { path: authorization(target, 'openid email').path, user });
    if (run.sample) run.sample.done += 1;
    return true;
  } catch (error) {
    const isRefusal = error instanceof UnexpectedAnswer && (error.status === 503 || error.status === 429);
    if (!isRefusal) throw error;
    run.sample?.refused.push(connection.lastMs);
    if (run.sample && browser.requests === 1) run.sample.beginnings += 1;
    return false;
  } finally {
    connection.close();
    run.underWay -= 1;
  }
}

async function askSteadily(run: Run, slot: number): Promise<void> {
  const ask = await clientCredentials('es256').begin(run.target, slot);
  for (let due = performance.now(); !run.ended; due += TOKEN_EVERY_MS) {
    const lostBefore = run.lost();
    await pause(Math.max(0, due - performance.now()));
    await ask();
    // From when it was due, so that one slow answer is not one slow answer alone; but a driver that was late is not the server.
    const waited = performance.now() - due - (run.lost() - lostBefore);
    run.sample?.tokens.push(Math.max(0, waited));
  }
}

/** The driver before the servers, where it may: so it is late less often. Says nothing of what the servers do among themselves. */
function preferSelf(): () => void {
  const before = getPriority();
  try {
    setPriority(before - 5);
  } catch {
    return () => {};
  }
  return () => setPriority(before);
}

function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
