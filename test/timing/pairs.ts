/** Milliseconds of two answers that were measured one right after the other, in an order nobody can guess. */
export type Pair = readonly [withAccount: number, without: number];

export type Verdict = {
  /** How likely differences as these are if there is none. */
  p: number;
  /** The difference, in milliseconds (Hodges–Lehmann). */
  shift: number;
  /** How far single differences lie apart, in milliseconds: like a standard deviation, but deaf to outliers. */
  spread: number;
  isApart: boolean;
};

/** Of one look at one way in. Whoever is apart is looked at once more, so a flow is taken for leaky by chance 1 in 40,000 times. */
export const LEAST_P = 0.005;
/** What is less than this drowns in any network. */
export const LEAST_MS = 0.5;
/** A difference that is less than this part of what differs anyway takes tens of thousands of answers to see. */
export const LEAST_OF_SPREAD = 0.1;

/**
 * Whether two answers take a different time. What slows the machine down for a while slows down both answers of a pair,
 * and as their order is drawn, a difference is as often one way as the other if there is none: whatever else runs here.
 */
export function judge(pairs: readonly Pair[]): Verdict {
  const differences = pairs.map(([one, other]) => one - other);
  const centre = median(differences);
  const spread = 1.4826 * median(differences.map((ms) => Math.abs(ms - centre)));
  const [p, shift] = [signedRank(differences), shiftOf(differences)];
  const isApart = p < LEAST_P && Math.abs(shift) > Math.max(LEAST_MS, LEAST_OF_SPREAD * spread);
  return { p, shift, spread, isApart };
}

/** The last of at most two looks: what is apart must be so on fresh pairs, too. */
export async function lookTwice(look: () => Promise<Verdict>): Promise<Verdict> {
  const first = await look();
  return first.isApart ? look() : first;
}

export const median = (sample: readonly number[]): number => {
  const sorted = sample.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** The median of the means of any two differences: what Wilcoxon's test is about, in milliseconds. */
function shiftOf(differences: readonly number[]): number {
  return median(differences.flatMap((one, i) => differences.slice(i).map((other) => (one + other) / 2)));
}

/** Wilcoxon's signed-rank test, two-sided, by the normal approximation. */
function signedRank(differences: readonly number[]): number {
  const ranked = differences.filter((ms) => ms !== 0).sort((a, b) => Math.abs(a) - Math.abs(b));
  const n = ranked.length;
  let sum = 0;
  ranked.forEach((ms, i) => (sum += ms > 0 ? i + 1 : 0));
  const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
  return 2 * upperTail(Math.abs(sum - (n * (n + 1)) / 4) / deviation);
}

/** Of the normal distribution; Abramowitz & Stegun 7.1.26, good to 1.5e-7. */
function upperTail(z: number): number {
  const t = 1 / (1 + (0.3275911 * z) / Math.SQRT2);
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return 0.5 * series * Math.exp((-z * z) / 2);
}
