import type { Transaction } from '../../storage/database.ts';
import { authMethodOf, type Client, clientSettingsSchema, type ClientType } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { everyApp } from '../operator-store.ts';
import { toClient } from '../registry.ts';
import type { ClientRow } from '../store.ts';
import { mergeSettings, type Settings } from '../settings.ts';
import { type ClientChangeInput, type ClientFacts, requireSoundClient } from './client-input.ts';
import { clientNotFound, firstClient } from './errors.ts';
import { requireOwnScopes } from '../apis/client-scopes.ts';
import { clientById, writeClient } from './operator-store.ts';
import { readSector, requireInSector, type SectorDocument, touchesSector } from './sector.ts';
import { followMethod } from './secrets/change-secrets.ts';

/** `secret` is there when the new way to authenticate needs one, and never again. */
export async function updateClient(
  deps: AppsDeps,
  change: AppChange & { clientId: string; input: ClientChangeInput },
): Promise<{ client: Client; secret: string | undefined }> {
  const { appId, clientId, input } = change;
  const sector = await sectorAhead(deps, change);
  return changeApp(deps, change, async (tx) => {
    if (clientId === appId && input.disabled !== undefined) throw firstClient();
    const row = await clientById(tx, appId, clientId);
    if (!row) throw clientNotFound();
    const client = await changeClient(tx, { appId, clientId, input, sector });
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

type ClientChange = { appId: string; clientId: string; input: ClientChangeInput };

/** The document of the sector that the client will have, read before anything is locked. Problems as for the change. */
export async function sectorAhead(
  deps: Pick<AppsDeps, 'operatorDb' | 'outgoing'>,
  { appId, clientId, input }: ClientChange,
): Promise<SectorDocument | undefined> {
  if (!touchesSector(input)) return undefined;
  const row = await clientById(everyApp(deps.operatorDb), appId, clientId);
  if (!row) return undefined;
  const facts = factsOf(row, input);
  requireSoundClient(facts);
  return readSector(deps.outgoing, facts);
}

const factsOf = (row: ClientRow, input: ClientChangeInput): ClientFacts => ({
  type: row.type as ClientType,
  redirectUris: input.redirect_uris ?? row.redirect_uris,
  postLogoutRedirectUris: input.post_logout_redirect_uris ?? row.post_logout_redirect_uris,
  allowedOrigins: input.allowed_origins ?? row.allowed_origins,
  scopes: input.scopes ?? row.scopes,
  settings: mergeSettings(clientSettingsSchema, row.settings as Settings, input.settings ?? {}),
});

/** The change itself, inside a change of the app. What is absent stays; settings are merged. */
export async function changeClient(
  tx: Transaction,
  change: ClientChange & { sector: SectorDocument | undefined },
): Promise<Client> {
  const { appId, clientId, input, sector } = change;
  const row = await clientById(tx, appId, clientId);
  if (!row) throw clientNotFound();
  const facts = factsOf(row, input);
  requireSoundClient(facts);
  if (touchesSector(input)) requireInSector(facts, sector);
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
