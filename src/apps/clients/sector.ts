import type { Outgoing } from '../../http/outgoing.ts';
import { OutgoingError } from '../../http/outgoing/errors.ts';
import type { Client, ClientSettings, ClientType } from '../app.ts';
import { sectorUnfit, sectorUnreadable } from './errors.ts';
import { isLoopback, webUriFault } from './redirect-uris.ts';

/** Which addresses belong to a sector, as its document says. */
export type SectorDocument = { uri: string; addresses: ReadonlySet<string> };

const MOST_BYTES = 64 * 1024;

/** The host that stands for all clients of one owner (OpenID Connect Core §8.1). */
export function sectorOf({ settings, redirectUris }: Pick<Client, 'settings' | 'redirectUris'>): string {
  return new URL(settings.sector_identifier_uri ?? redirectUris[0]!).hostname;
}

/** What can be said of a client's sector without asking anybody. Throws Problems `clients.sector_unfit`. */
export function requireSoundSector(client: {
  type: ClientType;
  redirectUris: string[];
  settings: ClientSettings;
}): void {
  const { type, redirectUris, settings } = client;
  const { sector_identifier_uri: uri, subject_type: subjectType } = settings;
  if (uri !== null) {
    const fault = webUriFault(uri);
    if (fault) throw sectorUnfit('settings.sector_identifier_uri', fault);
    return;
  }
  if (subjectType !== 'pairwise') return;
  const hosts = new Set(redirectUris.map((one) => hostOf(type, one)));
  if (redirectUris.length === 0)
    throw sectorUnfit('settings.subject_type', 'without redirect_uris it takes a sector_identifier_uri');
  if (hosts.has(undefined))
    throw sectorUnfit(
      'settings.subject_type',
      'a redirect URI that ends on the device names no host: it takes a sector_identifier_uri',
    );
  if (hosts.size > 1)
    throw sectorUnfit(
      'settings.subject_type',
      'redirect_uris of more than one host take a sector_identifier_uri (OpenID Connect Core §8.1)',
    );
}

/** Loopback is a host for whoever develops a web app; as the address of a native app it is everyone's. */
function hostOf(type: ClientType, uri: string): string | undefined {
  const { protocol, hostname } = new URL(uri);
  if (protocol !== 'https:' && protocol !== 'http:') return undefined;
  return type === 'native' && isLoopback(hostname) ? undefined : hostname;
}

type Facts = { redirectUris: readonly string[]; settings: Record<string, unknown> };

/** Whether a change needs the sector's document again. */
export const touchesSector = ({
  redirect_uris: uris,
  settings,
}: {
  redirect_uris?: string[] | undefined;
  settings?: Record<string, unknown> | undefined;
}): boolean =>
  uris !== undefined ||
  settings?.['subject_type'] !== undefined ||
  settings?.['sector_identifier_uri'] !== undefined;

/**
 * Reads the document (OpenID Connect Registration §5), before anything is locked; undefined where none is named. Throws
 * Problem `clients.sector_unreadable`.
 */
export async function readSector(
  outgoing: Outgoing,
  { settings }: Pick<Facts, 'settings'>,
): Promise<SectorDocument | undefined> {
  const uri = settings['sector_identifier_uri'];
  if (typeof uri !== 'string') return undefined;
  return { uri, addresses: new Set(await addressesAt(outgoing, uri)) };
}

async function addressesAt(outgoing: Outgoing, uri: string): Promise<string[]> {
  let text: string;
  try {
    const response = await outgoing(uri, { headers: { accept: 'application/json' }, maxBytes: MOST_BYTES });
    if (response.status !== 200) throw sectorUnreadable(`was answered with ${response.status}`);
    text = await response.text();
  } catch (error) {
    if (error instanceof OutgoingError)
      throw sectorUnreadable(`could not be fetched: ${error.reason}`, error);
    throw error;
  }
  const list = parsed(text);
  if (!Array.isArray(list) || !list.every((one): one is string => typeof one === 'string'))
    throw sectorUnreadable('is not a JSON array of addresses');
  return list;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Every redirect URI has to be in the document, to the letter: else any client could say that it belongs to a sector. */
export function requireInSector(
  { settings, redirectUris }: Facts,
  document: SectorDocument | undefined,
): void {
  const uri = settings['sector_identifier_uri'];
  if (typeof uri !== 'string') return;
  // Two changes at once: what was read is not what is about to be saved.
  if (document?.uri !== uri) throw sectorUnreadable('was changed meanwhile; try again');
  const stranger = redirectUris.find((one) => !document.addresses.has(one));
  if (stranger !== undefined)
    throw sectorUnfit('settings.sector_identifier_uri', `its document does not list ${stranger}`);
}
