import type { Database } from '../../storage/database.ts';
import { everyApp } from '../operator-store.ts';
import { eraseRest, eraseUsers } from './operator-store.ts';

const BATCH = 500;

/** The job behind `DELETE /apps/{app_id}`. May be run again after it was interrupted; does nothing to an app that lives. */
export async function eraseApp(operatorDb: Database, appId: string): Promise<void> {
  const q = everyApp(operatorDb);
  // In pieces, so that no statement runs into the time-out and no lock is held for long.
  while ((await eraseUsers(q, appId, BATCH)) === BATCH);
  await operatorDb.transaction(undefined, (tx) => eraseRest(tx, appId));
}
