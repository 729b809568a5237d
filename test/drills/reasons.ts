import type { Instance } from './instance.ts';

type Cause = { message?: string; code?: string; cause?: Cause };

/** Why instances said that a store was away, by their last lines, and how often. */
export function reasonsOf(instances: readonly Instance[]): string[] {
  const counts = new Map<string, number>();
  for (const line of instances.flatMap(({ said }) => said.split('\n'))) {
    const why = reasonIn(line);
    if (why !== undefined) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].toSorted((a, b) => b[1] - a[1]).map(([why, times]) => `${times} × ${why}`);
}

function reasonIn(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined;
  const { err } = JSON.parse(line) as { err?: Cause };
  let deepest = err;
  while (deepest?.cause) deepest = deepest.cause;
  return deepest && `${deepest.code ?? ''} ${deepest.message ?? ''}`.trim().slice(0, 120);
}
