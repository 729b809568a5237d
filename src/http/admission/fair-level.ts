/**
 * The most that each may have, so that together they get `budget`: who asks for less gets all of it (max-min fairness).
 * Infinity: there is enough for all.
 */
export function fairLevel(asked: readonly number[], budget: number): number {
  let left = budget;
  for (const [at, wanted] of asked.toSorted((a, b) => a - b).entries()) {
    const equal = left / (asked.length - at);
    if (wanted > equal) return equal;
    left -= wanted;
  }
  return Infinity;
}
