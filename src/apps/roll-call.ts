import type { FrequencyCache } from '../kernel/frequency-cache.ts';
import type { Database } from '../storage/database.ts';
import type { StoreClock } from '../storage/store-clock.ts';
import type { AppSnapshot } from './app.ts';
import { servedRevisions } from './operator-lookups.ts';

/** An app as it was read. `checkedAt`: compared with the store since then; 0: to be compared, whatever is known. */
export type Cached = { snapshot: AppSnapshot; checkedAt: number };

type Deps = { operatorDb: Database; clock: StoreClock; snapshots: FrequencyCache<Cached>; everyMs: number };

/** So many apps are compared one by one in the time that one is good for; of more, all are in one question. */
const ONE_BY_ONE = 32;

/**
 * To be asked before an app is compared with the store. Where many are asked for, it compares all that are known, and takes
 * what has changed, or is served no more, out of the cache. Says nothing; whoever is not fresh afterwards is compared alone,
 * and so is everybody where the question fails.
 */
export function createRollCall({ operatorDb, clock, snapshots, everyMs }: Deps): () => Promise<void> {
  let running: Promise<void> | undefined;
  let began = 0;
  let count = 0;

  const call = async (): Promise<void> => {
    const askedAt = Date.now();
    const { revisions, storeTime } = await servedRevisions(operatorDb);
    clock.saw(storeTime, askedAt);
    for (const [appId, cached] of snapshots.entries()) {
      // Read or compared since, or to be compared for a reason that the answer may not know of.
      if (cached.checkedAt === 0 || cached.checkedAt >= askedAt) continue;
      if (revisions.get(appId) === cached.snapshot.app.revision) cached.checkedAt = askedAt;
      else snapshots.delete(appId);
    }
  };

  return async () => {
    if (Date.now() - began >= everyMs) [began, count] = [Date.now(), 0];
    count += 1;
    if (count <= ONE_BY_ONE) return;
    running ??= call()
      .catch(() => {})
      .finally(() => (running = undefined));
    await running;
  };
}
