import { readFileSync } from 'node:fs';
import { cpuMs } from './processes.ts';

const TICK_MS = 10;
/** Beyond these a sample says more about the machine than about the server. */
const MOST = { steal: 0.03, foreign: 0.075 };

/** What of the machine's time, 0 to 1, was not ours: taken by the hypervisor, or by programs that this run did not start. */
export type Disturbance = { steal: number; foreign: number };

export const isDisturbed = ({ steal, foreign }: Disturbance): boolean =>
  steal > MOST.steal || foreign > MOST.foreign;

/** Begins to watch; what it returns says what was disturbed since. `ours`: processes, each with all below it. */
export function watchMachine(ours: readonly number[]): () => Disturbance {
  const before = { ...machineMs(), ours: cpuMs(ours) };
  return () => {
    const after = { ...machineMs(), ours: cpuMs(ours) };
    const all = Math.max(1, after.all - before.all);
    const others = after.busy - before.busy - (after.ours - before.ours);
    return { steal: (after.steal - before.steal) / all, foreign: Math.max(0, others / all) };
  };
}

/** Interrupts are left out of what is busy: on loopback they are ours, and the kernel gives them to nobody. */
function machineMs(): { all: number; busy: number; steal: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!;
  const [user, nice, system, idle, wait, irq, softirq, steal] = line.trim().split(/\s+/).slice(1).map(Number);
  const busy = user! + nice! + system!;
  return {
    all: (busy + idle! + wait! + irq! + softirq! + steal!) * TICK_MS,
    busy: busy * TICK_MS,
    steal: steal! * TICK_MS,
  };
}
