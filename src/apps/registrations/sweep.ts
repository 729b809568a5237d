import { Problem } from '../../kernel/problem.ts';
import { appSettingsSchema } from '../app.ts';
import { type AppsDeps, changeApp } from '../change-app.ts';
import { deleteClient } from '../clients/operator-store.ts';
import { everyApp } from '../operator-store.ts';
import { sweepTokens, unusedRegistrations } from './operator-store.ts';

/** Forgets clients that registered themselves and that nobody uses, and tokens that have expired. In all apps. */
export async function sweepRegistrations(deps: AppsDeps): Promise<void> {
  const q = everyApp(deps.operatorDb);
  await sweepTokens(q);
  const { unused_ttl: fallback } = appSettingsSchema.parse({}).registered_clients;
  for (const { app_id: appId, client_id: clientId } of await unusedRegistrations(q, fallback)) {
    try {
      await changeApp(deps, { appId, by: { actor: { type: 'system' } } }, async (tx) => {
        await deleteClient(tx, appId, clientId);
        return { result: undefined, event: 'client.deleted', clientId, details: { by: 'unused' } };
      });
    } catch (error) {
      // The app went meanwhile.
      if (!(error instanceof Problem && error.code === 'apps.not_found')) throw error;
    }
  }
}
