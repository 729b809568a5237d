import { readdirSync, readFileSync } from 'node:fs';

export type Strangers = {
  /** What share of the machine other programs took, between two moments of `performance.now()`. */
  shareBetween(from: number, to: number): number;
  stop(): void;
};

type Sample = { at: number; total: number; strange: number };

const EVERY_MS = 1000;

/** Watches how much of the machine is taken by what is neither this process nor begun by it: drills compare with the time before. */
export function watchStrangers(): Strangers {
  const samples: Sample[] = [];
  const look = (): void => void samples.push({ at: performance.now(), ...ticks() });
  look();
  const timer = setInterval(look, EVERY_MS);
  return {
    shareBetween(from, to) {
      const first = samples.findLast(({ at }) => at <= from) ?? samples[0]!;
      const last = samples.find(({ at }) => at >= to) ?? samples.at(-1)!;
      return last.total === first.total ? 0 : (last.strange - first.strange) / (last.total - first.total);
    },
    stop: () => clearInterval(timer),
  };
}

/** Of those that have ended since, nothing is known any more: theirs counts as strange for a moment. */
let ended = 0;
let seen = new Map<number, number>();

function ticks(): { total: number; strange: number } {
  const cpu = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).slice(1, 9).map(Number);
  const total = cpu.reduce((sum, one) => sum + one, 0);
  const idle = cpu[3]! + cpu[4]!;
  const processes = new Map<number, { parent: number; used: number }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      processes.set(Number(name), {
        parent: Number(fields[1]),
        used: Number(fields[11]) + Number(fields[12]),
      });
    } catch {
      // ended meanwhile
    }
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = processes.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  const now = new Map<number, number>();
  for (const [pid, { used }] of processes) if (isOurs(pid)) now.set(pid, used);
  for (const [pid, used] of seen) if (!now.has(pid)) ended += used;
  seen = now;
  const ours = ended + [...now.values()].reduce((sum, one) => sum + one, 0);
  return { total, strange: total - idle - ours };
}
