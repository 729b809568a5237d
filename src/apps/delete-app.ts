import { type AppChange, type AppsDeps, changeApp } from './change-app.ts';
import { appBuiltIn, confirmationMissing } from './errors.ts';
import { markAppDeleted } from './operator-store.ts';

export const ERASE_APP = 'erase-app';

/**
 * From the commit on the app answers nobody, and its name is taken for ever; what it held is erased by a job.
 * `confirm` must repeat the name.
 */
export function deleteApp(
  deps: AppsDeps,
  change: AppChange & { confirm: string | undefined },
): Promise<void> {
  const { appId, confirm } = change;
  return changeApp(deps, change, async (tx, app) => {
    if (app.built_in) throw appBuiltIn();
    if (confirm !== appId) throw confirmationMissing(appId);
    await markAppDeleted(tx, appId);
    await deps.enqueueJob(tx, { appId, kind: ERASE_APP, payload: {} });
    return { result: undefined, event: 'app.deleted' };
  });
}
