import { type Sample, sampleOf } from './sample.ts';
import type { Plan } from './main.ts';
import type { Target } from './targets.ts';
import type { Op, Workload } from './workloads.ts';

/** By workload, then by target: one sample a round. */
export type Results = Map<string, Map<string, Sample[]> & { title?: string }>;

/** Runs a workload at each target in turn, again and again, so that what the machine does meanwhile hits all alike. */
export function roundsOf(plan: Plan, results: Results, say: (text: string) => void) {
  return async (workload: Workload, targets: readonly Target[]): Promise<void> => {
    if (plan.only && !plan.only.test(workload.id)) return;
    say(workload.title);
    const clients = new Map<Target, Op[]>();
    for (const target of targets) {
      const ops: Op[] = [];
      // One after another: what they do to begin (signing in) is not what is measured.
      for (let slot = 0; slot < plan.clients; slot += 1) ops.push(await workload.begin(target, slot));
      await sampleOf(target, ops, plan.warmUp);
      clients.set(target, ops);
    }
    const taken: Map<string, Sample[]> & { title?: string } = new Map();
    taken.title = workload.title;
    results.set(workload.id, taken);
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const target of rotated(targets, round)) {
        const sample = await sampleOf(target, clients.get(target)!, { ms: plan.sampleMs });
        const samples = taken.get(target.name) ?? [];
        samples.push(sample);
        taken.set(target.name, samples);
      }
    }
  };
}

/** Another target begins each round. */
const rotated = <T>(list: readonly T[], by: number): T[] =>
  list.map((_, at) => list[(at + by) % list.length]!);
