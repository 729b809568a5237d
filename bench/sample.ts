import { cpuMs, memoryMb } from './processes.ts';
import type { Target } from './targets.ts';
import type { Op } from './workloads.ts';

export type Sample = {
  perSecond: number;
  p50: number;
  p99: number;
  /** CPU milliseconds per operation of the server and of the stores that work for it. */
  cpu: number;
  /** What of `cpu` was the server's own. */
  cpuServer: number;
  /** Cores that this process, the client, was using: it is no bottleneck while that is well below 1. */
  clientCores: number;
  rss: number;
  count: number;
};

/** Closed loop: each client asks again when it has its answer. One failure voids the sample by throwing. */
export async function sampleOf(
  target: Pick<Target, 'pids' | 'server'>,
  ops: readonly Op[],
  limit: { ms: number; count?: number },
): Promise<Sample> {
  const latencies: number[] = [];
  const cpuBefore = cpuMs(target.pids);
  const serverBefore = cpuMs([target.server.pid]);
  const ownBefore = process.cpuUsage();
  const begun = performance.now();
  const until = begun + limit.ms;
  let left = limit.count ?? Infinity;
  await Promise.all(
    ops.map(async (op) => {
      for (let at = performance.now(); at < until && left-- > 0; ) {
        await op();
        const now = performance.now();
        latencies.push(now - at);
        at = now;
      }
    }),
  );
  const ms = performance.now() - begun;
  const own = process.cpuUsage(ownBefore);
  const count = latencies.length;
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): number => latencies[Math.min(count - 1, Math.floor(share * count))]!;
  return {
    perSecond: (count / ms) * 1000,
    p50: quantile(0.5),
    p99: quantile(0.99),
    cpu: (cpuMs(target.pids) - cpuBefore) / count,
    cpuServer: (cpuMs([target.server.pid]) - serverBefore) / count,
    clientCores: (own.user + own.system) / 1000 / ms,
    rss: memoryMb(target.server.pid).now,
    count,
  };
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

export type Spread = { median: number; min: number; max: number };
export const spread = (values: readonly number[]): Spread => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
});
