import type { Transaction } from '../../storage/database.ts';
import { authMethodOf, type Client, clientSettingsSchema, type ClientType } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { toClient } from '../registry.ts';
import { mergeSettings, type Settings } from '../settings.ts';
import { type ClientChangeInput, requireSoundClient } from './client-input.ts';
import { clientNotFound, firstClient } from './errors.ts';
import { requireOwnScopes } from '../apis/client-scopes.ts';
import { clientById, writeClient } from './operator-store.ts';
import { followMethod } from './secrets/change-secrets.ts';

/** `secret` is there when the new way to authenticate needs one, and never again. */
export function updateClient(
  deps: AppsDeps,
  change: AppChange & { clientId: string; input: ClientChangeInput },
): Promise<{ client: Client; secret: string | undefined }> {
  const { appId, clientId, input } = change;
  return changeApp(deps, change, async (tx) => {
    if (clientId === appId && input.disabled !== undefined) throw firstClient();
    const row = await clientById(tx, appId, clientId);
    if (!row) throw clientNotFound();
    const client = await changeClient(tx, { appId, clientId, input });
    const [from, to] = [authMethodOf(toClient(row)), authMethodOf(client)];
    const issued = await followMethod(deps, tx, { appId, clientId, from, to });
    return {
      result: { client, secret: issued?.secret },
      event: 'client.updated',
      clientId,
      details: { changed: Object.keys(input) },
    };
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
