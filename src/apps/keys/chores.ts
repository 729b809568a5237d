import type { Author } from '../../events/author.ts';
import { Problem } from '../../kernel/problem.ts';
import { appSettingsSchema } from '../app.ts';
import type { AppsDeps } from '../change-app.ts';
import { everyApp } from '../operator-store.ts';
import {
  dueDeploymentKey,
  eraseDeploymentPrivateHalves,
  forgetOldDeploymentKeys,
  lockKeyChores,
  markDeploymentKeysRetired,
} from './deployment/operator-store.ts';
import { rotateDeploymentKeys } from './deployment/rotate.ts';
import { appsWithDueKeys, erasePrivateHalves, forgetOldKeys, markRetired } from './operator-store.ts';
import { rotateKeys } from './rotate.ts';
import { PUBLISHED_AFTER_SIGNING } from './signing-key.ts';

const SYSTEM: Author = { actor: { type: 'system' } };
/** At most so many in one round: thousands of apps made on one day take turns, and the lock is not held for long. */
const MOST = 20;
/** As long as a session can last, and its ID token be a hint. */
const REMEMBERED_DAYS = 400;

/**
 * Makes the keys that are due, erases private halves that sign no more, and forgets keys that nobody can ask for. Any
 * number of processes may call it at once; one does the work. Answers whether it was this one.
 */
export function keepKeys(deps: AppsDeps, options: { sharedRotationDays: number }): Promise<boolean> {
  // The lock is the transaction's; the work has transactions of its own, which check again what they change.
  return deps.operatorDb.transaction(undefined, async (tx) => {
    if (!(await lockKeyChores(tx))) return false;
    await rotateDue(deps, options.sharedRotationDays);
    const q = everyApp(deps.operatorDb);
    await erasePrivateHalves(q, PUBLISHED_AFTER_SIGNING);
    await markRetired(q);
    await forgetOldKeys(q, REMEMBERED_DAYS);
    await eraseDeploymentPrivateHalves(q, PUBLISHED_AFTER_SIGNING);
    await markDeploymentKeysRetired(q);
    await forgetOldDeploymentKeys(q, REMEMBERED_DAYS);
    return true;
  });
}

async function rotateDue(deps: AppsDeps, sharedRotationDays: number): Promise<void> {
  const q = everyApp(deps.operatorDb);
  const { key_rotation_days: rotationDays, signing_algorithm: algorithm } = appSettingsSchema.parse({});
  for (const { app_id: appId, key_id: ifNewest } of await appsWithDueKeys(
    q,
    { rotationDays, algorithm },
    MOST,
  )) {
    await rotateKeys(deps, { appId, by: SYSTEM, ifNewest }).catch(unlessDeleted);
  }
  const due = sharedRotationDays > 0 ? await dueDeploymentKey(q, sharedRotationDays) : undefined;
  if (due !== undefined) await rotateDeploymentKeys(deps, { by: SYSTEM, ifNewest: due });
}

/** The app was deleted meanwhile. */
function unlessDeleted(error: unknown): void {
  if (!(error instanceof Problem && error.code === 'apps.not_found')) throw error;
}
