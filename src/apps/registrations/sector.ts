import { readSector, type SectorDocument } from '../clients/sector.ts';
import { digestOf } from '../../kernel/secret.ts';
import type { AppsDeps } from '../change-app.ts';
import { appById, everyApp } from '../operator-store.ts';
import { toApp } from '../registry.ts';
import { registrationRefused } from './errors.ts';
import { readMetadata } from './metadata.ts';
import { isTokenLive } from './operator-store.ts';

/**
 * The sector's document of a client that registers itself, read before anything is locked and for those only who may
 * register: nobody else has us ask around. undefined where none is named.
 */
export async function sectorOfNewcomer(
  deps: Pick<AppsDeps, 'operatorDb' | 'outgoing'>,
  { appId, metadata, initialToken }: { appId: string; metadata: unknown; initialToken: string | undefined },
): Promise<SectorDocument | undefined> {
  if (!namesSector(metadata)) return undefined;
  const q = everyApp(deps.operatorDb);
  const row = await appById(q, appId);
  if (!row) return undefined;
  const app = toApp(row);
  const isOpen = app.settings.dynamic_registration === 'open' && initialToken === undefined;
  if (!isOpen && !(initialToken && (await isTokenLive(q, appId, digestOf(initialToken)))))
    throw registrationRefused();
  return readSector(deps.outgoing, readMetadata(app, 'dynamic', metadata));
}

const namesSector = (metadata: unknown): boolean =>
  typeof metadata === 'object' && metadata !== null && 'sector_identifier_uri' in metadata;
