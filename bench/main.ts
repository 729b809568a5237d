// `npm run bench`: every workload of design §8, interleaved in one run. See docs/performance.md.
import { rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BARE, EMBEDDED, LATCHKEY, NAIVE, TWO, WITHOUT_HASH } from './bars.ts';
import { machine } from './machine.ts';
import { overload } from './overload.ts';
import { capacityOfPasswords, redisBytesPerUser } from './measures.ts';
import { memoryMb, stopAllProcesses, stopProcess } from './processes.ts';
import { printReport } from './report.ts';
import { type Results, roundsOf } from './rounds.ts';
import { median } from './sample.ts';
import {
  type Instance,
  makeApp,
  makeWorker,
  prepareLatchkey,
  sameApps,
  startLatchkey,
  startPeer,
  startStores,
  type Stores,
  type Target,
} from './targets.ts';
import {
  type AppWorker,
  clientCredentials,
  codeWithSession,
  introspect,
  manyApps,
  refresh,
  roundRobin,
  signInByPassword,
  signInWithoutHash,
  userinfo,
  zipf,
} from './workloads.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    apps: { type: 'string' },
    only: { type: 'string' },
  },
});
const quick = values.quick;
const plan = {
  quick,
  rounds: Number(values.rounds ?? (quick ? 2 : 5)),
  sampleMs: Number(values.seconds ?? (quick ? 1 : 3)) * 1000,
  /** Until so many requests, or for so long: what is slow would take minutes. */
  warmUp: { count: quick ? 1500 : 10_000, ms: quick ? 1500 : 10_000 },
  clients: 16,
  apps: Number(values.apps ?? (quick ? 200 : 10_000)),
  only: values.only === undefined ? undefined : new RegExp(values.only),
};
export type Plan = typeof plan;

const dir = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
let stores: Stores | undefined;
let ending: Promise<void> | undefined;
const end = (): Promise<void> =>
  (ending ??= (async () => {
    await stopAllProcesses();
    await stores?.stop();
    rmSync(dir, { recursive: true, force: true });
  })());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void end().finally(() => process.exit(130)));

try {
  await run();
} finally {
  await end();
}
process.exit();

async function run(): Promise<void> {
  const begun = performance.now();
  const say = (text: string): void =>
    console.error(`${((performance.now() - begun) / 1000).toFixed(0)} s  ${text}`);
  say('starting Postgres, Redis and the servers');
  stores = await startStores(dir);
  const measured: Record<string, number> = {};
  const { instance, latchkey, targets } = await startTargets(stores, measured);
  const embedded = targets.find(({ name }) => name === EMBEDDED)!;
  measured['first_start'] = embedded.server.readyMs / 1000;
  measured['rss_idle'] = memoryMb(latchkey.server.pid).now;

  const results: Results = new Map();
  const rounds = roundsOf(plan, results, say);
  const named = (...names: string[]): Target[] => targets.filter(({ name }) => names.includes(name));
  const all = named(LATCHKEY, EMBEDDED, BARE, NAIVE);
  const two = named(TWO);
  await rounds(clientCredentials('es256'), [...all, ...two]);
  await rounds(clientCredentials('rs256'), all);
  await rounds(codeWithSession, [...all, ...two]);
  await rounds(signInWithoutHash, named(WITHOUT_HASH, BARE, NAIVE));
  await rounds(refresh, [...all, ...two]);
  await rounds(introspect, all);
  await rounds(userinfo, all);

  await manyAppsRounds({ instance, latchkey, rounds, say });
  measured['rss_load'] = memoryMb(latchkey.server.pid).now;
  await rounds(signInByPassword, named(LATCHKEY, EMBEDDED));
  const signIns = results.get(signInByPassword.id)?.get(LATCHKEY);
  if (signIns) {
    const perSecond = signIns.map((one) => one.perSecond);
    Object.assign(measured, await capacityOfPasswords(perSecond));
    say('three times as many sign-ins as can be finished');
    const at = { admin: instance.admin, peak: median(perSecond), ms: Math.max(5000, plan.sampleMs * 3) };
    Object.assign(measured, await overload(latchkey, at));
  }
  measured['redis_bytes'] = await redisBytesPerUser(stores.redis.url, latchkey);

  const seconds = (performance.now() - begun) / 1000;
  const report = { machine: machine(), plan: { ...plan, only: values.only, seconds }, results, measured };
  const json = printReport(report);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(json, null, 2)}\n`);
}

async function startTargets(at: Stores, measured: Record<string, number>) {
  const first = await startLatchkey({ dir: join(dir, 'first'), stores: at });
  await stopProcess(first.server.child);
  const instance = await startLatchkey({ dir: join(dir, 'latchkey'), stores: at });
  measured['start'] = instance.server.readyMs / 1000;
  const alone = await startLatchkey({ dir: join(dir, 'embedded') });
  // What is timed has been; the rest may come at once.
  const [latchkey, embedded, bare, naive, withoutHash] = await Promise.all([
    prepareLatchkey(LATCHKEY, instance),
    prepareLatchkey(EMBEDDED, alone),
    startPeer(BARE),
    startPeer(NAIVE, at.redis),
    startLatchkey({ dir: join(dir, 'without-hash'), stores: at, withoutHash: true }),
  ]);
  const targets = [latchkey, embedded, bare, naive, sameApps(WITHOUT_HASH, withoutHash, latchkey)];
  return { instance, latchkey, targets };
}

type Apps = {
  instance: Instance;
  latchkey: Target;
  rounds: ReturnType<typeof roundsOf>;
  say(text: string): void;
};

/** A bar is for so many apps and no fewer: the number is in the id. Apps are made through the Admin API, with ES256: an RSA key each would take longer than everything else. */
async function manyAppsRounds({ instance, latchkey, rounds, say }: Apps): Promise<void> {
  if (plan.only && !plan.only.test('apps_')) return;
  const apps: AppWorker[] = [];
  const grow = async (to: number): Promise<void> => {
    say(`making apps: ${to}`);
    while (apps.length < to) {
      const appId = `many-${apps.length}`;
      await makeApp(instance.admin, appId);
      apps.push({ ...(await makeWorker(instance.admin, appId)), token: `/auth/${appId}/token` });
    }
  };
  const title = (count: number, how: string): string => `client_credentials, ${count} apps, ${how}`;
  const thousand = Math.min(1000, plan.apps);
  await grow(thousand);
  const turns = { id: `apps_${thousand}`, title: title(thousand, 'round robin'), next: roundRobin(apps) };
  await rounds(manyApps(turns), [latchkey]);
  if (plan.apps <= 1000) return;
  await grow(plan.apps);
  await rounds(
    manyApps({ id: `apps_${plan.apps}_zipf`, title: title(plan.apps, 'Zipf'), next: zipf(apps) }),
    [latchkey],
  );
  await rounds(
    manyApps({
      id: `apps_${plan.apps}_round_robin`,
      title: title(plan.apps, 'round robin'),
      next: roundRobin(apps),
    }),
    [latchkey],
  );
}
