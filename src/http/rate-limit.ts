import { Problem } from '../kernel/problem.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';
import { limited as limitedProblem } from './refusals.ts';

export type Limit = { appId: string; key: string; limit: number; windowSeconds: number };
export type Hit = { allowed: boolean; retryAfterSeconds: number };

type Window = { count: number; endsAt: number };
const MAX_LOCAL = 50_000;
const local = new WeakMap<object, Map<string, Window>>();

/**
 * Counts one more of `key` and says whether that is still within `limit` per window. While the store is away
 * this process counts alone, at a tenth of the limit. `retryAfterSeconds` is an upper bound.
 */
export async function hit(
  store: Pick<EphemeralStore, 'increment'>,
  { appId, key, limit, windowSeconds }: Limit,
): Promise<Hit> {
  let count: number;
  let allowedCount = limit;
  try {
    count = await store.increment(appId, `rate:${key}`, windowSeconds);
  } catch (error) {
    if (!(error instanceof Problem) || error.kind !== 'unavailable') throw error;
    count = countLocally(store, `${appId}:${key}`, windowSeconds);
    allowedCount = Math.max(1, Math.floor(limit / 10));
  }
  return { allowed: count <= allowedCount, retryAfterSeconds: windowSeconds };
}

/** Like `hit`, and throws the Problem `request.limited` when there were too many. */
export async function requireWithin(store: Pick<EphemeralStore, 'increment'>, limit: Limit): Promise<void> {
  const { allowed, retryAfterSeconds } = await hit(store, limit);
  if (!allowed) throw limited(retryAfterSeconds);
}

export function limited(retryAfterSeconds: number): Problem {
  return limitedProblem(retryAfterSeconds);
}

function countLocally(store: object, key: string, windowSeconds: number): number {
  let windows = local.get(store);
  if (!windows) local.set(store, (windows = new Map()));
  const now = Date.now();
  const running = windows.get(key);
  if (running && running.endsAt > now) return ++running.count;
  // Bounded: an attacker with many addresses must not fill the memory; the oldest window goes first.
  if (!running && windows.size >= MAX_LOCAL) windows.delete(windows.keys().next().value!);
  windows.set(key, { count: 1, endsAt: now + windowSeconds * 1000 });
  return 1;
}
