import { isDisturbed } from './disturbance.ts';
import type { Plan } from './plan.ts';
import { type Sample, sampleOf } from './sample.ts';
import type { Target } from './targets.ts';
import type { Op, Workload } from './workloads.ts';

/** By target: one sample a round. */
export type Taken = Map<string, Sample[]> & {
  title?: string;
  /** Samples thrown away because something else was using the machine. */
  rejected?: number;
};
/** By workload, then by target. */
export type Results = Map<string, Taken>;

/** Runs a workload at each target in turn, again and again, so that what the machine does meanwhile hits all alike. */
export function roundsOf(plan: Plan, results: Results, say: (text: string) => void) {
  return async (workload: Workload, targets: readonly Target[]): Promise<Taken> => {
    const taken: Taken = new Map();
    if (plan.only && !plan.only.test(workload.id)) return taken;
    say(workload.title);
    const clients = new Map<Target, Op[]>();
    for (const target of targets) {
      const ops: Op[] = [];
      // One after another: what they do to begin (signing in) is not what is measured.
      for (let slot = 0; slot < (workload.clients ?? plan.clients); slot += 1)
        ops.push(await workload.begin(target, slot));
      const count = Math.ceil(plan.warmUp.count / (workload.requests ?? 1));
      await sampleOf(target, ops, { ms: plan.warmUp.ms, count });
      await target.analyze();
      clients.set(target, ops);
    }
    taken.title = workload.title;
    results.set(workload.id, taken);
    const retakes = new Map<Target, number>();
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const target of rotated(targets, round)) {
        const take = (): Promise<Sample> => sampleOf(target, clients.get(target)!, { ms: plan.sampleMs });
        let sample = await take();
        while (isDisturbed(sample) && (retakes.get(target) ?? 0) < plan.retakes) {
          retakes.set(target, (retakes.get(target) ?? 0) + 1);
          taken.rejected = (taken.rejected ?? 0) + 1;
          sample = await take();
        }
        taken.set(target.name, [...(taken.get(target.name) ?? []), sample]);
      }
    }
    return taken;
  };
}

/** Another target begins each round. */
const rotated = <T>(list: readonly T[], by: number): T[] =>
  list.map((_, at) => list[(at + by) % list.length]!);
