import { setTimeout as sleep } from 'node:timers/promises';
import { Sender, type Scene } from './flows.ts';
import { type Entry, type Figures, figuresOf, History, isFailed, LONGEST_MS } from './history.ts';
import { Ledger } from './ledger.ts';
import { runLoad } from './load.ts';
import { inTime } from './patience.ts';
import { reasonsOf } from './reasons.ts';
import { beginTrail, failuresIn, type Leave, settle } from './settle.ts';
import { type Strangers, watchStrangers } from './strangers.ts';
import { makeWorld, type World, type WorldOptions } from './world.ts';

/** What a drill works with while the load runs. */
export type Stage = {
  world: World;
  scene: Scene;
  sender: Sender;
  /** How long the fault lasts. */
  faultMs: number;
  /** The fault is over from here on. Without it, it ends when `fault` does. */
  healed(): void;
  /** Of the same run. */
  before(): Entry[];
  /** Everything since a moment of the history. */
  since(moment: number): Entry[];
  /** Something that must hold. */
  must(holds: boolean, what: string): void;
  note(what: string): void;
  strangers: Strangers;
};

export type Drill = {
  number: number;
  name: string;
  /** In one line: what is done. */
  does: string;
  leave?: Leave;
  world?: Omit<WorldOptions, 'tree'>;
  /** Why it can not be run here; undefined: it can. */
  missing?: () => string | undefined;
  /** Before the load. */
  prepare?(world: World, sender: Sender): Promise<void>;
  /** Does it, waits, and makes it undone. */
  fault(stage: Stage): Promise<void>;
  /** After the load, when everything is at rest. */
  afterwards?(stage: Stage): Promise<void>;
  /** Whatever was made beside the world; after its end, however that came. */
  cleanUp?(): Promise<void>;
  /** Nobody may notice: no request fails at any time. */
  isSmooth?: boolean;
  /** The limit for coming back to the state of before, in seconds. */
  recoversWithin?: number;
};

export type Outcome = { violations: string[]; lines: string[] };

export type RunOptions = { seconds: number; tree: string };

/** Fewer than this are refused by accident, in shares of the requests of one window. */
const NOISE_OF_FAILURES = 0.01;
const ENOUGH_REQUESTS = 100;
const WINDOW_MS = 2000;
/** Windows begin so often: where they happen to begin decides nothing. */
const STEP_MS = 500;
const DEFAULT_RECOVERY_S = 30;
const SLOW_MACHINE_MS = 2500;
/** REQUEST_TIMEOUT, and less by what the clocks of both sides differ. */
const OVER_MS = 7500;
/** Windows. */
const MOST_UNJUDGED = 45;

export async function runDrill(drill: Drill, { seconds, tree }: RunOptions): Promise<Outcome> {
  const world = await makeWorld({ tree, ...drill.world });
  try {
    return await drillIn(world, drill, seconds);
  } catch (error) {
    for (const { said, port } of world.instances)
      console.error(`— instance ${port} said —\n${said.slice(-3000)}`);
    throw error;
  } finally {
    await drill.cleanUp?.();
    await world.end();
  }
}

async function drillIn(world: World, drill: Drill, seconds: number): Promise<Outcome> {
  const history = new History();
  const ledger = new Ledger();
  const state = { isOver: false };
  const scene: Scene = { ...world, history, ledger, isOver: () => state.isOver };
  const lines: string[] = [];
  const strangers = watchStrangers();
  await drill.prepare?.(world, new Sender(scene, 'preparing'));
  await beginTrail(world, scene);
  const load = runLoad(scene, world);
  // Waited for in the end.
  load.catch(() => {});
  // The first seconds compile and fill caches.
  await sleep(Math.min(4000, seconds * 200));
  const begunAt = history.now();
  await sleep(Math.max(4 * WINDOW_MS, seconds * 350));
  // On a slow machine, until there is something to compare with.
  await inTime(() => between(history, begunAt, history.now()).length >= ENOUGH_REQUESTS, 60_000);
  const faultAt = history.now();
  if (failuresIn(between(history, begunAt, faultAt).map((one) => asOf(faultAt, one))) > 0)
    lines.push(`said before: ${reasonsOf(world.instances).slice(0, 5).join('; ')}`);
  let healedAt = 0;
  const stage: Stage = {
    world,
    scene,
    sender: new Sender(scene, 'drill'),
    faultMs: seconds * 350,
    healed: () => {
      healedAt ||= history.now();
    },
    before: () => between(history, begunAt, faultAt).map((one) => asOf(faultAt, one)),
    since: (moment) => between(history, moment, Number.POSITIVE_INFINITY),
    must: (holds, what) => {
      if (!holds) ledger.violate('must', what);
    },
    note: (what) => lines.push(what),
    strangers,
  };
  await drill.fault(stage);
  stage.healed();
  const recovery = await waitForRecovery(stage, { begunAt, faultAt, healedAt }, drill);
  await sleep(seconds * 150);
  state.isOver = true;
  strangers.stop();
  await load;
  // A machine on which a hundredth takes so long without any fault is not the program's.
  const slowdown = Math.max(1, figuresOf(stage.before()).p99 / SLOW_MACHINE_MS);
  if (drill.isSmooth) expectSmooth(stage.since(faultAt), stage, slowdown > 1);
  if (slowdown > 1)
    lines.push(
      `this machine is ${slowdown.toFixed(1)} times too busy to judge ten seconds, which are stretched`,
    );
  lines.push(...(await settle(world, scene, { leave: drill.leave, longestMs: LONGEST_MS * slowdown })));
  await drill.afterwards?.(stage);
  lines.unshift(
    ...figures(history, { begunAt, faultAt, healedAt }, recovery),
    ...refusals(history, { begunAt, faultAt }),
  );
  return { violations: ledger.violations, lines };
}

/** On a machine that is too slow, whose time of a request is over is told so, fault or not. */
function expectSmooth(entries: readonly Entry[], { must }: Stage, isSlow: boolean): void {
  const isOver = ({ status, took }: Entry): boolean => isSlow && status === 503 && took > OVER_MS;
  const failed = entries.filter(
    (one) => Number.isFinite(one.took) && (one.status === 0 || one.status >= 500) && !isOver(one),
  );
  const whats = [
    ...new Set(failed.map(({ what, status, said }) => `${what} ${status} ${said.slice(0, 60)}`)),
  ];
  must(failed.length === 0, `${failed.length} requests failed: ${whats.slice(0, 5).join('; ')}`);
}

const between = ({ entries }: History, from: number, to: number): Entry[] =>
  entries.filter(({ at, by }) => at >= from && at < to && by.startsWith('sender'));

type Moments = { begunAt: number; faultAt: number; healedAt: number };

/**
 * I6. Back when, for two windows in a row, the share of failures and the slowest hundredth are within a tenth of those
 * before. The measure is the worst window before: how much they differ without a fault is the noise of this machine. A
 * window in which other programs took more of it than before by a tenth is not judged, and its time does not count.
 */
async function waitForRecovery(stage: Stage, at: Moments, drill: Drill): Promise<string> {
  const { history } = stage.scene;
  const calm = windows(history, at.begunAt, at.faultAt, STEP_MS);
  const slowest = Math.max(...calm.map(({ p99 }) => p99)) * 1.1;
  const failing = Math.max(...calm.map(shareFailed)) * 1.1 + NOISE_OF_FAILURES;
  const limit = ((drill.recoversWithin ?? DEFAULT_RECOVERY_S) * 1000) / WINDOW_MS;
  const share = (from: number, to: number): number =>
    stage.strangers.shareBetween(history.moment(from), history.moment(to));
  const usual = share(at.begunAt, at.faultAt) + 0.1;
  const startOf = (i: number): number => at.healedAt + i * WINDOW_MS;
  for (;;) {
    const isGood = windows(history, at.healedAt, history.now(), STEP_MS).map(
      (one) => one.requests > 0 && shareFailed(one) <= failing && one.p99 <= slowest,
    );
    const first = isGood.findIndex((one, i) => one && isGood[i + WINDOW_MS / STEP_MS]);
    if (first >= 0) return first === 0 ? 'at once' : `after ${(first * STEP_MS) / 1000} s`;
    const later = windows(history, at.healedAt, history.now());
    const judged = later.filter((_, i) => share(startOf(i), startOf(i + 1)) <= usual);
    if (judged.length > limit) {
      const seen = judged.map((one) => `${Math.round(100 * shareFailed(one))} % ${Math.round(one.p99)} ms`);
      const allowed = `${Math.round(100 * failing)} % and ${Math.round(slowest)} ms`;
      stage.must(false, `I6: not as before in time (allowed ${allowed}; seen ${seen.join(', ')})`);
      return 'not in time';
    }
    if (later.length > limit + MOST_UNJUDGED) return 'not judged: other programs took more of the machine';
    await sleep(200);
  }
}

const shareFailed = ({ requests, failed }: Figures): number => (requests === 0 ? 0 : failed / requests);

/** What was known of it at that moment: one under way was as slow as it was by then, and had not failed yet. */
const asOf = (moment: number, one: Entry): Entry =>
  one.at + one.took <= moment ? one : { ...one, status: 200, isUnmet: false, took: moment - one.at };

/** Whole windows by the moment a request began, as of their end. */
function windows(history: History, from: number, to: number, step = WINDOW_MS): Figures[] {
  const found: Figures[] = [];
  for (let start = from; start + WINDOW_MS <= to; start += step) {
    found.push(figuresOf(between(history, start, start + WINDOW_MS).map((one) => asOf(to, one))));
  }
  return found;
}

function figures(history: History, at: Moments, recovery: string): string[] {
  const line = (name: string, from: number, to: number): string => {
    const { requests, failed, p50, p99 } = figuresOf(
      between(history, from, to)
        .filter(({ took }) => took !== Number.POSITIVE_INFINITY)
        .map((one) => (from === at.begunAt ? asOf(to, one) : one)),
    );
    return `${name} ${requests} requests, ${failed} refused, p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms`;
  };
  return [
    line('before:', at.begunAt, at.faultAt),
    line('during:', at.faultAt, at.healedAt),
    `${line('after: ', at.healedAt, Number.POSITIVE_INFINITY)}; as before ${recovery}`,
  ];
}

/** The most frequent refusals, before and since. */
function refusals(history: History, at: Pick<Moments, 'begunAt' | 'faultAt'>): string[] {
  const said = (name: string, from: number, to: number): string[] => {
    const counts = new Map<string, number>();
    const known = between(history, from, to).map((one) => (name === 'before' ? asOf(to, one) : one));
    for (const { isUnmet, status, said: text, what } of known.filter(isFailed)) {
      const short = text.trim().slice(0, 60);
      // Before there is a reason, each is worth a look.
      const where = name === 'before' ? ` ${what}` : '';
      const key = isUnmet ? `${status} (${short})` : `${status || `no answer (${short})`}${where}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const most = [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, 5);
    return most.length
      ? [`refused ${name}: ${most.map(([what, times]) => `${times} × ${what}`).join(', ')}`]
      : [];
  };
  return [...said('before', at.begunAt, at.faultAt), ...said('since', at.faultAt, Number.POSITIVE_INFINITY)];
}
