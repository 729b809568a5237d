import type { Transaction } from '../../storage/database.ts';
import { type Client, clientSettingsSchema, type ClientType } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { toClient } from '../registry.ts';
import { mergeSettings, type Settings } from '../settings.ts';
import { type ClientChangeInput, requireSoundClient } from './client-input.ts';
import { clientNotFound, firstClient } from './errors.ts';
import { requireOwnScopes } from '../apis/client-scopes.ts';
import { clientById, writeClient } from './operator-store.ts';

export function updateClient(
  deps: AppsDeps,
  change: AppChange & { clientId: string; input: ClientChangeInput },
): Promise<Client> {
  const { appId, clientId, input } = change;
  return changeApp(deps, change, async (tx) => {
    if (clientId === appId && input.disabled !== undefined) throw firstClient();
    const client = await changeClient(tx, { appId, clientId, input });
    return { result: client, event: 'client.updated', clientId, details: { changed: Object.keys(input) } };
  });
}

/** The change itself, inside a change of the app. What is absent stays; settings are merged. */
export async function changeClient(
  tx: Transaction,
  change: { appId: string; clientId: string; input: ClientChangeInput },
): Promise<Client> {
  const { appId, clientId, input } = change;
  const row = await clientById(tx, appId, clientId);
  if (!row) throw clientNotFound();
  const facts = {
    type: row.type as ClientType,
    redirectUris: input.redirect_uris ?? row.redirect_uris,
    postLogoutRedirectUris: input.post_logout_redirect_uris ?? row.post_logout_redirect_uris,
    allowedOrigins: input.allowed_origins ?? row.allowed_origins,
    scopes: input.scopes ?? row.scopes,
    settings: mergeSettings(clientSettingsSchema, row.settings as Settings, input.settings ?? {}),
  };
  requireSoundClient(facts);
  if (input.scopes) await requireOwnScopes(tx, appId, input.scopes);
  await writeClient(tx, {
    appId,
    clientId,
    name: input.name ?? row.name,
    ...facts,
    disabled: input.disabled ?? row.disabled_at !== null,
  });
  return toClient((await clientById(tx, appId, clientId))!);
}
