import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { clientNotFound, firstClient } from './errors.ts';
import { clientById, deleteClient as removeClient } from './operator-store.ts';

/** Its secrets and grants end with it. The app's first client goes only with the app. */
export function deleteClient(deps: AppsDeps, change: AppChange & { clientId: string }): Promise<void> {
  const { appId, clientId } = change;
  return changeApp(deps, change, async (tx) => {
    if (!(await clientById(tx, appId, clientId))) throw clientNotFound();
    if (clientId === appId) throw firstClient();
    await removeClient(tx, appId, clientId);
    return { result: undefined, event: 'client.deleted', clientId };
  });
}
