import { bars, limits } from './bars.ts';
import { isDisturbed } from './disturbance.ts';
import type { Plan } from './plan.ts';
import type { Results } from './rounds.ts';
import { type Sample, type Spread, spread } from './sample.ts';

type Report = {
  machine: Record<string, string | number>;
  plan: Omit<Plan, 'only'> & { only: string | undefined; seconds: number };
  results: Results;
  measured: Record<string, number>;
};

type Ratio = {
  workload: string;
  of: string;
  against: string;
  ratio: Spread;
  cpuRatio: Spread;
  must: number;
  aim: number;
};

/** Prints what was measured beside what was wanted; returns the same for the file. */
export function printReport({ machine, plan, results, measured }: Report): object {
  const how = `${plan.rounds} rounds of ${plan.sampleMs / 1000} s, ${plan.clients} clients, ${plan.seconds.toFixed(0)} s in all`;
  console.log(
    `\n${Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}\n${how}`,
  );
  if (plan.quick || plan.rounds < 5)
    console.log(
      'Short rounds after a short warm-up: good for a comparison with yesterday, not for publication.',
    );
  printWorkloads(results);
  printDisturbance(results);
  const ratios = ratiosOf(results);
  printRatios(ratios, results);
  printLimits(measured);
  return {
    machine,
    plan,
    workloads: [...results].map(([id, targets]) => ({
      id,
      title: targets.title,
      rejected: targets.rejected ?? 0,
      targets: Object.fromEntries([...targets].map(([name, samples]) => [name, summary(samples)])),
    })),
    ratios,
    measured,
  };
}

const MEASURES = [
  'perSecond',
  'p50',
  'p99',
  'cpu',
  'cpuServer',
  'rss',
  'clientCores',
  'steal',
  'foreign',
] as const;

const summary = (samples: readonly Sample[]) => ({
  ...Object.fromEntries(MEASURES.map((name) => [name, spread(samples.map((sample) => sample[name]))])),
  samples,
});

function printWorkloads(results: Results): void {
  const rows = [...results].flatMap(([, targets]) => [
    ['', '', '', '', '', '', '', ''],
    ...[...targets].map(([name, samples], at) => {
      const of = (measure: (typeof MEASURES)[number]) => spread(samples.map((sample) => sample[measure]));
      const perSecond = of('perSecond');
      return [
        at === 0 ? (targets.title ?? '') : '',
        name,
        `${number(perSecond.median)} [${number(perSecond.min)}–${number(perSecond.max)}]`,
        number(of('p50').median),
        number(of('p99').median),
        `${number(of('cpu').median)} (${number(of('cpuServer').median)})`,
        of('rss').median.toFixed(0),
        number(of('clientCores').median),
      ];
    }),
  ]);
  print(
    ['workload', 'target', 'per second', 'p50 ms', 'p99 ms', 'CPU ms (server)', 'MB', 'client cores'],
    rows,
  );
}

function printDisturbance(results: Results): void {
  const kept = [...results.values()].flatMap((targets) => [...targets.values()].flat());
  const rejected = [...results.values()].reduce((sum, targets) => sum + (targets.rejected ?? 0), 0);
  const still = kept.filter(isDisturbed).length;
  console.log(
    `\nof ${kept.length + rejected} samples ${rejected} rejected and taken again (more than 3 % of the machine's time stolen, or 7.5 % used by others); ${still} kept though disturbed`,
  );
}

function ratiosOf(results: Results): Ratio[] {
  return bars.flatMap(({ workload, of, against, must, aim }) => {
    const ours = results.get(workload)?.get(of);
    const theirs = results.get(workload)?.get(against);
    if (!ours || !theirs) return [];
    const each = (measure: (mine: Sample, yours: Sample) => number): Spread =>
      spread(ours.map((sample, round) => measure(sample, theirs[round % theirs.length]!)));
    return [
      {
        workload,
        of,
        against,
        ratio: each((mine, yours) => mine.perSecond / yours.perSecond),
        cpuRatio: each((mine, yours) => mine.cpu / yours.cpu),
        must,
        aim,
      },
    ];
  });
}

function printRatios(ratios: readonly Ratio[], results: Results): void {
  const rows = ratios.map(({ workload, of, against, ratio, cpuRatio, must, aim }) => [
    results.get(workload)?.title ?? workload,
    `${of} ÷ ${against}`,
    `${ratio.median.toFixed(2)} [${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}]`,
    cpuRatio.median.toFixed(2),
    must.toFixed(2),
    aim.toFixed(2),
    verdict(ratio.median, { must, aim, atLeast: true }),
  ]);
  print(['ratio', 'of', 'per second', 'CPU', 'must', 'aim', ''], rows);
}

function printLimits(measured: Record<string, number>): void {
  const rows = limits
    .filter(({ id }) => measured[id] !== undefined)
    .map((limit) => [
      limit.title,
      `${number(measured[limit.id]!)} ${limit.unit}`,
      `${limit.atLeast ? '≥' : '≤'} ${limit.must}`,
      String(limit.aim),
      verdict(measured[limit.id]!, limit),
    ]);
  print(['measure', 'value', 'must', 'aim', ''], rows);
}

function verdict(
  value: number,
  { must, aim, atLeast }: { must: number; aim: number; atLeast?: true | boolean },
): string {
  const reaches = (bar: number): boolean => (atLeast ? value >= bar : value <= bar);
  return reaches(aim) ? 'aim' : reaches(must) ? 'must' : 'FALLS SHORT';
}

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function print(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`;
  const kept = rows.filter((row) => row.some((cell) => cell !== ''));
  console.log(`\n${line(head)}\n| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  for (const row of kept) console.log(line(row));
}
