import type { Bench } from '../main.ts';
import type { Sample, Spread } from '../sample.ts';
import type { Target } from '../targets.ts';
import type { Workload } from '../workloads.ts';

/** What grows, and what is looked at while it does. Each point has an instance and a database of its own. */
export type Curve = {
  id: string;
  title: string;
  /** What the numbers along the axis count. */
  axis: string;
  points: readonly number[];
  start(bench: Bench, point: number): Promise<Target>;
  /** At every point; `lines` name what is drawn of it. */
  workloads: readonly { workload: Workload; label: string }[];
  /** One sentence for the reader. */
  note: string;
};

export type Measure = 'perSecond' | 'cpu' | 'p99' | 'rss';
export const MEASURES: readonly { id: Measure; title: string }[] = [
  { id: 'perSecond', title: 'operations per second' },
  { id: 'cpu', title: 'CPU ms per operation, stores included' },
  { id: 'p99', title: 'p99, ms' },
  { id: 'rss', title: 'resident memory, MB' },
];
/** What there is a picture of. */
export const DRAWN = MEASURES.filter(({ id }) => id !== 'p99');

/** As it is written to a file and drawn. */
export type MeasuredCurve = {
  id: string;
  title: string;
  axis: string;
  note: string;
  facts: Record<string, string | number>;
  points: readonly number[];
  lines: { label: string; values: Record<Measure, Spread>[] }[];
};

export const valuesOf = (samples: readonly Sample[], measure: Measure): number[] =>
  samples.map((sample) => sample[measure]);
