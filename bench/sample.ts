import { type Disturbance, watchMachine } from './disturbance.ts';
import { cpuMs, memoryMb } from './processes.ts';
import type { Target } from './targets.ts';
import type { Op } from './workloads.ts';

export type Sample = Disturbance & {
  perSecond: number;
  p50: number;
  p99: number;
  /** CPU milliseconds per operation of the server and of the stores that work for it. */
  cpu: number;
  /** What of `cpu` was the server's own, its instances together. */
  cpuServer: number;
  /** Cores that this process, the client, was using: it is no bottleneck while that is well below 1. */
  clientCores: number;
  /** Resident memory at the end, MB, the instances together. */
  rss: number;
  count: number;
};

/** Closed loop: each client asks again when it has its answer. One failure voids the sample by throwing. */
export async function sampleOf(
  target: Pick<Target, 'pids' | 'servers'>,
  ops: readonly Op[],
  limit: { ms: number; count?: number },
): Promise<Sample> {
  const latencies: number[] = [];
  const servers = target.servers.map(({ pid }) => pid);
  const disturbance = watchMachine([process.pid, ...target.pids]);
  const cpuBefore = cpuMs(target.pids);
  const serverBefore = cpuMs(servers);
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
    cpuServer: (cpuMs(servers) - serverBefore) / count,
    clientCores: (own.user + own.system) / 1000 / ms,
    rss: servers.reduce((sum, pid) => sum + memoryMb(pid).now, 0),
    count,
    ...disturbance(),
  };
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** `mad`: the median distance from the median. A difference below twice that is none. */
export type Spread = { median: number; min: number; max: number; mad: number };
export function spread(values: readonly number[]): Spread {
  const middle = median(values);
  return {
    median: middle,
    min: Math.min(...values),
    max: Math.max(...values),
    mad: median(values.map((value) => Math.abs(value - middle))),
  };
}
