import { loadavg } from 'node:os';
import { isDisturbed } from '../disturbance.ts';
import { machine } from '../machine.ts';
import type { Bench } from '../main.ts';
import { isWanted, plan } from '../plan.ts';
import { stopProcess } from '../processes.ts';
import { type Results, roundsOf, type Taken } from '../rounds.ts';
import { type Spread, spread } from '../sample.ts';
import type { Target } from '../targets.ts';
import { type Curve, type MeasuredCurve, MEASURES, type Measure, valuesOf } from './curve.ts';
import { curves } from './curves.ts';
import { print, publish } from './publish.ts';

/** One curve after the other; each is written to docs/performance as soon as it is there. */
export async function runCurves(bench: Bench): Promise<MeasuredCurve[]> {
  const measured: MeasuredCurve[] = [];
  for (const curve of curves.filter(({ id }) => isWanted(id))) {
    const one = await measure(bench, curve);
    measured.push(one);
    print(one);
    if (!plan.quick) publish(one);
  }
  return measured;
}

async function measure(bench: Bench, curve: Curve): Promise<MeasuredCurve> {
  const begun = performance.now();
  const load = loadavg()[0]!.toFixed(1);
  const targets: Target[] = [];
  for (const point of curve.points) {
    bench.say(`${curve.id}: preparing ${point}`);
    targets.push({ ...(await curve.start(bench, point)), name: String(point) });
  }
  const lines: MeasuredCurve['lines'] = [];
  let [kept, rejected, disturbed] = [0, 0, 0];
  for (const { workload, label } of curve.workloads) {
    const results: Results = new Map();
    const rounds = roundsOf({ ...plan, only: undefined }, results, bench.say);
    const taken = await rounds(workload, targets);
    lines.push({ label, values: targets.map((target) => spreadsOf(taken, target)) });
    rejected += taken.rejected ?? 0;
    const samples = [...taken.values()].flat();
    kept += samples.length;
    disturbed += samples.filter(isDisturbed).length;
  }
  for (const server of targets.flatMap((target) => target.servers)) await stopProcess(server.child);
  const { id, title, axis, note, points } = curve;
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
  const facts = {
    ...machine(),
    load_average_at_the_beginning: load,
    rounds: plan.rounds,
    seconds: plan.sampleMs / 1000,
    minutes,
    kept,
    disturbed,
    rejected,
  };
  return { id, title, axis, note, points, lines, facts };
}

function spreadsOf(taken: Taken, target: Target): Record<Measure, Spread> {
  const samples = taken.get(target.name)!;
  return Object.fromEntries(MEASURES.map(({ id }) => [id, spread(valuesOf(samples, id))])) as Record<
    Measure,
    Spread
  >;
}
