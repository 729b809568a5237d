/**
 * Short-lived state of one app: codes, interactions, challenges, counters. Each verb is one atomic step in
 * every driver; if a caller needs "get, then put", this interface lacks a verb. Expiry is decided by the
 * store's clock. All verbs throw a Problem `store.unavailable` when the store is away.
 */
export type EphemeralStore = {
  /** Stores `value` for `ttlSeconds`. With `ifAbsent` an existing live value stays and the answer is false. */
  put(appId: string, key: string, value: string, options: PutOptions): Promise<boolean>;
  /** The live value. */
  read(appId: string, key: string): Promise<string | undefined>;
  /** The live value and how many seconds (fractions included) it still has. */
  get(appId: string, key: string): Promise<EphemeralValue | undefined>;
  /** Gets and removes in one step: of many callers at once exactly one gets the value. */
  take(appId: string, key: string): Promise<string | undefined>;
  /** Adds one and returns the sum. The first increment starts the clock; later ones do not extend it. */
  increment(appId: string, key: string, ttlSeconds: number): Promise<number>;
  /** Whether there was something to delete. */
  delete(appId: string, key: string): Promise<boolean>;
};

export type PutOptions = { ttlSeconds: number; ifAbsent?: boolean };
export type EphemeralValue = { value: string; remainingSeconds: number };
