import type { EnqueueDeps } from '../../delivery/jobs/enqueue.ts';
import type { Database } from '../../storage/database.ts';
import { endSessionsPastLimit } from '../sessions/operator-store.ts';
import { announceEnd } from './announce.ts';

const BATCH = 200;

/**
 * Sessions end by their limits without anyone doing anything: this finds them, once, and tells their clients. Readers
 * do not wait for it, a session past its limit is invisible at once. Answers how many there were.
 */
export async function endExpiredSessions(operatorDb: Database, jobs: EnqueueDeps): Promise<number> {
  for (let total = 0; ; ) {
    const found = await operatorDb.transaction(undefined, async (tx) => {
      const ended = await endSessionsPastLimit(tx, BATCH);
      for (const [appId, sessions] of Map.groupBy(ended, (session) => session.app_id))
        await announceEnd(tx, jobs, { appId, sessions, why: 'session_expired' });
      return ended.length;
    });
    total += found;
    if (found < BATCH) return total;
  }
}
