import { join } from 'node:path';
import { BARE, EMBEDDED, LATCHKEY, NAIVE, ONE_APP, TWO, WITHOUT_HASH } from './bars.ts';
import { growApps } from './fill/apps.ts';
import { machine } from './machine.ts';
import type { Bench } from './main.ts';
import { capacityOfPasswords, redisBytesPerUser } from './measures.ts';
import { overload } from './overload.ts';
import { peopleRounds } from './people-rounds.ts';
import { isWanted, plan } from './plan.ts';
import { memoryMb, stopProcess } from './processes.ts';
import { printReport } from './report.ts';
import { type Results, roundsOf } from './rounds.ts';
import {
  type Instance,
  prepareLatchkey,
  sameApps,
  startLatchkey,
  startPeer,
  type Target,
  withSecondInstance,
} from './targets.ts';
import {
  type AppWorker,
  clientCredentials,
  codeWithSession,
  forTwo,
  introspect,
  manyApps,
  refresh,
  roundRobin,
  signInByPassword,
  signInWithoutHash,
  userinfo,
  zipf,
} from './workloads.ts';

type Measured = Record<string, number>;
type Rounds = ReturnType<typeof roundsOf>;

/** The table of design §8: prints it and returns it for the file. */
export async function runTable(bench: Bench): Promise<object> {
  const begun = performance.now();
  const { say, stores } = bench;
  const measured: Measured = {};
  const { instance, latchkey, two, targets } = await startTargets(bench, measured);
  const results: Results = new Map();
  const rounds = roundsOf(plan, results, say);
  await protocolRounds(rounds, { targets, two });
  await rounds(
    signInByPassword,
    targets.filter(({ name }) => name === LATCHKEY || name === EMBEDDED),
  );
  const signIns = results.get(signInByPassword.id)?.get(LATCHKEY);
  if (signIns) {
    const perSecond = signIns.map((one) => one.perSecond);
    Object.assign(measured, await capacityOfPasswords(perSecond));
  }
  if (isWanted('overload')) {
    say('three times as many sign-ins as can be finished');
    const at = { admin: instance.admin, ms: Math.max(6000, plan.sampleMs * 4) };
    Object.assign(measured, await overload(latchkey, at));
  }
  // After the overload: what a process with ten thousand apps does there is another question.
  await manyAppsRounds({ instance, latchkey, rounds, say, measured });
  measured['redis_bytes'] = await redisBytesPerUser(stores.redis.url, latchkey);
  if (!plan.quick) Object.assign(measured, await peopleRounds(bench, { rounds, results }));
  const seconds = (performance.now() - begun) / 1000;
  return printReport({
    machine: machine(),
    plan: { ...plan, only: plan.only?.source, seconds },
    results,
    measured,
  });
}

async function protocolRounds(rounds: Rounds, { targets, two }: { targets: Target[]; two: Target }) {
  const all = targets.filter(({ name }) => name !== WITHOUT_HASH);
  const peers = targets.filter(({ kind }) => kind === 'peer');
  const withoutHash = targets.filter(({ name }) => name === WITHOUT_HASH);
  await rounds(clientCredentials('es256'), all);
  await rounds(clientCredentials('rs256'), all);
  await rounds(codeWithSession, all);
  await rounds(signInWithoutHash, [...withoutHash, ...peers]);
  await rounds(refresh, all);
  await rounds(introspect, all);
  await rounds(userinfo, all);
  const one = targets.filter(({ name }) => name === LATCHKEY);
  for (const workload of [clientCredentials('es256'), codeWithSession, refresh])
    await rounds(forTwo(workload, plan.clients), [...one, two]);
}

async function startTargets({ dir, stores }: Bench, measured: Measured) {
  const first = await startLatchkey({ dir: join(dir, 'first'), stores });
  await stopProcess(first.server.child);
  const instance = await startLatchkey({ dir: join(dir, 'latchkey'), stores });
  measured['start'] = instance.server.readyMs / 1000;
  const alone = await startLatchkey({ dir: join(dir, 'embedded') });
  measured['first_start'] = alone.server.readyMs / 1000;
  // What is timed has been; the rest may come at once.
  const [latchkey, embedded, bare, naive, withoutHash] = await Promise.all([
    prepareLatchkey(LATCHKEY, instance),
    prepareLatchkey(EMBEDDED, alone),
    startPeer(BARE),
    startPeer(NAIVE, stores.redis),
    startLatchkey({ dir: join(dir, 'without-hash'), stores, withoutHash: true }),
  ]);
  measured['rss_idle'] = memoryMb(instance.server.pid).now;
  const two = await withSecondInstance(TWO, latchkey, { dir: join(dir, 'second'), stores });
  const targets = [latchkey, embedded, bare, naive, sameApps(WITHOUT_HASH, withoutHash, latchkey)];
  return { instance, latchkey, two, targets };
}

type Apps = {
  instance: Instance;
  latchkey: Target;
  rounds: Rounds;
  say(text: string): void;
  measured: Measured;
};

/** A bar is for so many apps and no fewer: the number is in the id. */
async function manyAppsRounds({ instance, latchkey, rounds, say, measured }: Apps): Promise<void> {
  if (!isWanted('apps_')) return;
  const apps: AppWorker[] = [];
  const grow = async (to: number): Promise<void> => {
    say(`making apps: ${to}`);
    await growApps(apps, to, instance);
  };
  const title = (count: number, how: string): string => `client_credentials, ${count} apps, ${how}`;
  const thousand = Math.min(1000, plan.apps);
  await grow(thousand);
  // The same server with one of them, in turn with all: minutes later the machine is another one.
  const both = [{ ...latchkey, name: ONE_APP }, latchkey];
  const among = (next: () => AppWorker) => (target: Target) =>
    target.name === ONE_APP ? target.workers.es256 : next();
  const turns = { id: `apps_${thousand}`, title: title(thousand, 'round robin') };
  await rounds(manyApps({ ...turns, next: among(roundRobin(apps)) }), both);
  // The bar is for a thousand apps and no fewer.
  if (thousand === 1000) measured['rss_load'] = memoryMb(instance.server.pid).now;
  if (plan.apps <= 1000) return;
  await grow(plan.apps);
  const even = { id: `apps_${plan.apps}_round_robin`, title: title(plan.apps, 'round robin') };
  await rounds(manyApps({ ...even, next: among(roundRobin(apps)) }), both);
  // After it, when each has been asked for: before, it is the first reading of rare apps that is measured.
  const popular = { id: `apps_${plan.apps}_zipf`, title: title(plan.apps, 'Zipf') };
  await rounds(manyApps({ ...popular, next: among(zipf(apps)) }), both);
  measured[`rss_apps_${plan.apps}`] = memoryMb(instance.server.pid).now;
}
