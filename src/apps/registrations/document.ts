import { freshSeconds } from '../../http/freshness.ts';
import type { Outgoing } from '../../http/outgoing.ts';
import { Problem } from '../../kernel/problem.ts';
import type { Transaction } from '../../storage/database.ts';
import type { App } from '../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { clientById, deleteClient, insertUnroutedClient } from '../clients/operator-store.ts';
import { readSector, requireInSector, type SectorDocument } from '../clients/sector.ts';
import { changeClient } from '../clients/update-client.ts';
import { everyApp } from '../operator-store.ts';
import { toApp } from '../registry.ts';
import { documentUnreadable, tooManyClients } from './errors.ts';
import { readMetadata, type WantedClient } from './metadata.ts';
import {
  countRegistrations,
  leastNeededDocument,
  registrationOf,
  saveRegistration,
} from './operator-store.ts';

export type DocumentDeps = AppsDeps & {
  /** OUTBOUND_ALLOWED_HOSTS: there plain http will do, as everywhere. */
  outboundAllowedHosts: readonly string[];
};

const MOST_BYTES = 10_240;
const LONGEST_URL = 512;
const LIFE = { least: 60, most: 86_400, otherwise: 600 };

/**
 * Whether a client_id is the address of a document (OAuth Client ID Metadata Document, draft, §3): https, with a path,
 * written as URL parsers write it, so that one document has one name; no user, query, fragment or dot segment.
 */
export function isDocumentUrl(id: string, allowedHosts: readonly string[]): boolean {
  if (id.length > LONGEST_URL || !/^https?:\/\/[\x21-\x7e]+$/.test(id) || !URL.canParse(id)) return false;
  const url = new URL(id);
  const isSecure =
    url.protocol === 'https:' || allowedHosts.some((host) => host === url.host || host === url.hostname);
  const isPlain = url.href === id && !/[?#@\\]|%2e/i.test(id);
  return isSecure && isPlain && url.pathname.length > 1;
}

/** Whether the document was read lately enough to go by it. */
export async function isDocumentGood(
  deps: Pick<AppsDeps, 'operatorDb'>,
  at: { appId: string; clientId: string },
): Promise<boolean> {
  const registration = await registrationOf(everyApp(deps.operatorDb), at);
  return registration?.kind === 'document' && registration.is_good === true;
}

/**
 * Reads the document and makes the client what it says; what has become of one that was allowed something keeps that,
 * unless it turned into another kind of client. Throws Problems: unreadable, against the rules, no room.
 */
export async function admitDocument(
  deps: DocumentDeps,
  change: AppChange & { url: string; app: App },
): Promise<void> {
  const { appId, url, app } = change;
  const { document, lifeSeconds } = await fetchDocument(deps.outgoing, url);
  const wanted = readMetadata(app, 'document', document);
  const at = { appId, clientId: url };
  const seen = { ...at, kind: 'document', goodForSeconds: lifeSeconds } as const;
  const row = await clientById(everyApp(deps.operatorDb), appId, url);
  const before = row && JSON.stringify(factsOf({ ...wanted, ...rowFacts(row) }));
  if (before === JSON.stringify(factsOf(wanted))) return saveRegistration(everyApp(deps.operatorDb), seen);
  const sector = await readSector(deps.outgoing, wanted);
  await changeApp(deps, change, async (tx, appRow) => {
    const isNew = await writeDocumentClient(tx, toApp(appRow), { clientId: url, wanted, sector });
    await saveRegistration(tx, seen);
    const event = isNew ? 'client.registered' : 'client.updated';
    return { result: undefined, event, clientId: url, details: { name: wanted.name, by: 'document' } };
  });
}

async function writeDocumentClient(
  tx: Transaction,
  app: App,
  {
    clientId,
    wanted,
    sector,
  }: { clientId: string; wanted: WantedClient; sector: SectorDocument | undefined },
): Promise<boolean> {
  const { appId } = app;
  const known = await clientById(tx, appId, clientId);
  if (known?.type === wanted.type) {
    const { name, redirectUris, postLogoutRedirectUris, scopes, settings } = wanted;
    await changeClient(tx, {
      appId,
      clientId,
      sector,
      input: {
        name,
        redirect_uris: redirectUris,
        post_logout_redirect_uris: postLogoutRedirectUris,
        scopes,
        settings: { jwks: null, jwks_uri: null, ...settings },
      },
    });
    return false;
  }
  // Its grants go with it: people allowed something else.
  if (known) await deleteClient(tx, appId, clientId);
  if ((await countRegistrations(tx, appId)) >= app.settings.registered_clients.most) {
    // Documents can be made up by the thousand; those that nobody allowed anything make room.
    const unneeded = await leastNeededDocument(tx, appId);
    if (unneeded === undefined) throw tooManyClients();
    await deleteClient(tx, appId, unneeded);
  }
  requireInSector(wanted, sector);
  await insertUnroutedClient(tx, { appId, clientId, ...wanted });
  return true;
}

type Facts = Pick<
  WantedClient,
  'name' | 'type' | 'redirectUris' | 'postLogoutRedirectUris' | 'scopes' | 'settings'
>;

const rowFacts = (row: NonNullable<Awaited<ReturnType<typeof clientById>>>) => ({
  name: row.name,
  type: row.type as WantedClient['type'],
  redirectUris: row.redirect_uris,
  postLogoutRedirectUris: row.post_logout_redirect_uris,
  scopes: row.scopes,
  settings: row.settings as Record<string, unknown>,
});

/** What a document decides, in one order. What is null says as much as what is not there. */
const factsOf = (facts: Facts) => ({
  lists: [facts.name, facts.type, facts.redirectUris, facts.postLogoutRedirectUris, facts.scopes],
  settings: Object.entries(facts.settings)
    .filter(([, value]) => value !== null)
    .toSorted(([a], [b]) => (a < b ? -1 : 1)),
});

async function fetchDocument(
  outgoing: Outgoing,
  url: string,
): Promise<{ document: Record<string, unknown>; lifeSeconds: number }> {
  try {
    const response = await outgoing(url, { headers: { accept: 'application/json' }, maxBytes: MOST_BYTES });
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
    if (!/^application\/(?:[a-z0-9.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? ''))
      throw new Error('is not JSON');
    const document = (await response.json()) as Record<string, unknown>;
    requireSoundDocument(document, url);
    return { document, lifeSeconds: freshSeconds(response.headers, LIFE) };
  } catch (cause) {
    throw cause instanceof Problem ? cause : documentUnreadable((cause as Error).message, cause);
  }
}

function requireSoundDocument(document: unknown, url: string): void {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw documentUnreadable('is not an object');
  // Compared as strings (draft, §4.1): a document speaks for its own address only.
  if ((document as { client_id?: unknown }).client_id !== url)
    throw documentUnreadable('names another client_id');
  for (const name of ['client_secret', 'client_secret_expires_at'])
    if (name in document) throw documentUnreadable(`holds ${name}`);
}
