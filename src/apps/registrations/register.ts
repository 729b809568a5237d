import { newId } from '../../kernel/id.ts';
import { digestOf, newSecret, sameSecret } from '../../kernel/secret.ts';
import type { Transaction } from '../../storage/database.ts';
import { type App, authMethodOf, type Client } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { changeClient } from '../clients/update-client.ts';
import { clientById, deleteClient, insertClient } from '../clients/operator-store.ts';
import { readSector, requireInSector } from '../clients/sector.ts';
import { issueFirstSecret } from '../clients/secrets/change-secrets.ts';
import { appById, everyApp } from '../operator-store.ts';
import { toApp, toClient } from '../registry.ts';
import { metadataInvalid, registrationRefused, tooManyClients } from './errors.ts';
import { readMetadata } from './metadata.ts';
import { sectorOfNewcomer } from './sector.ts';
import { countRegistrations, registrationOf, saveRegistration, useToken } from './operator-store.ts';

export type Registered = { client: Client; secret: string | undefined; registrationToken: string };

/** A client that registers itself (RFC 7591), with what it needs to manage that (RFC 7592); both are shown once. */
export async function registerClient(
  deps: AppsDeps,
  change: AppChange & { metadata: unknown; initialToken: string | undefined },
): Promise<Registered> {
  const { appId, metadata, initialToken } = change;
  const sector = await sectorOfNewcomer(deps, change);
  return changeApp(deps, change, async (tx, row) => {
    const app = toApp(row);
    const tokenId = await requireInitialToken(tx, app, initialToken);
    // The app's row is locked, so two at once do not both find room.
    if ((await countRegistrations(tx, appId)) >= app.settings.registered_clients.most) throw tooManyClients();
    const wanted = readMetadata(app, 'dynamic', metadata);
    requireInSector(wanted, sector);
    const clientId = newId('cli');
    await insertClient(tx, { appId, clientId, ...wanted });
    const registrationToken = newSecret();
    await saveRegistration(tx, { appId, clientId, kind: 'dynamic', digest: digestOf(registrationToken) });
    const client = toClient((await clientById(tx, appId, clientId))!);
    const issued = await issueFirstSecret(deps, tx, { appId, clientId, method: authMethodOf(client) });
    return {
      result: { client, secret: issued?.secret, registrationToken },
      event: 'client.registered',
      clientId,
      details: { name: wanted.name, initial_token_id: tokenId ?? null },
    };
  });
}

async function requireInitialToken(
  tx: Transaction,
  app: App,
  initialToken: string | undefined,
): Promise<string | undefined> {
  if (app.settings.dynamic_registration === 'open' && initialToken === undefined) return undefined;
  const tokenId =
    initialToken === undefined ? undefined : await useToken(tx, app.appId, digestOf(initialToken));
  if (tokenId === undefined) throw registrationRefused();
  return tokenId;
}

export type ManagedClient = { appId: string; clientId: string; token: string };

/** The client whose registration token this is. The same refusal for a wrong token, a foreign client and none. */
export async function managedClient(
  deps: Pick<AppsDeps, 'operatorDb'>,
  { appId, clientId, token }: ManagedClient,
): Promise<Client> {
  const q = everyApp(deps.operatorDb);
  const registration = await registrationOf(q, { appId, clientId });
  if (!registration?.digest || !sameSecret(registration.digest, digestOf(token))) throw registrationRefused();
  const row = await clientById(q, appId, clientId);
  if (!row || row.disabled_at !== null) throw registrationRefused();
  return toClient(row);
}

/** RFC 7592 §2.2: all metadata anew. The way to authenticate stays, since a change would need a new secret. */
export async function updateRegistration(
  deps: AppsDeps,
  change: AppChange & ManagedClient & { metadata: unknown },
): Promise<Client> {
  const { appId, clientId, metadata } = change;
  const known = await managedClient(deps, change);
  const app = await appById(everyApp(deps.operatorDb), appId);
  if (!app) throw registrationRefused();
  const sector = await readSector(deps.outgoing, readMetadata(toApp(app), 'dynamic', metadata));
  return changeApp(deps, change, async (tx, row) => {
    const wanted = readMetadata(toApp(row), 'dynamic', metadata);
    const { type, settings } = wanted;
    if (type !== known.type || settings['token_endpoint_auth_method'] !== authMethodOf(known))
      throw metadataInvalid('token_endpoint_auth_method', 'and the type of the client can not be changed');
    const client = await changeClient(tx, {
      appId,
      clientId,
      sector,
      input: {
        name: wanted.name,
        redirect_uris: wanted.redirectUris,
        post_logout_redirect_uris: wanted.postLogoutRedirectUris,
        scopes: wanted.scopes,
        settings: { jwks: null, jwks_uri: null, ...settings },
      },
    });
    return { result: client, event: 'client.updated', clientId, details: { by: 'registration' } };
  });
}

/** RFC 7592 §2.3. */
export async function deregisterClient(deps: AppsDeps, change: AppChange & ManagedClient): Promise<void> {
  const { appId, clientId } = change;
  await managedClient(deps, change);
  await changeApp(deps, change, async (tx) => {
    await deleteClient(tx, appId, clientId);
    return { result: undefined, event: 'client.deleted', clientId, details: { by: 'registration' } };
  });
}
