import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { CityResponse, Reader } from 'maxmind';
import { isPublicAddress } from '../../http/outgoing/address.ts';

export type Place = { country: string | null; country_code: string | null; city: string | null };

export type Places = {
  /** Where an address is, in the language asked for; undefined for private addresses and unknown ones. */
  of(address: string | null | undefined, locale: string): Place | undefined;
  /** Reads the file again if it has changed. A new file that can not be read changes nothing. */
  refresh(): Promise<void>;
};

export const noPlaces: Places = { of: () => undefined, refresh: () => Promise.resolve() };

type Named = { names?: Record<string, string> };
type Entry = { city?: Named; country?: Named & { iso_code?: string } };
type Log = { warn(fields: object, message: string): void; info(fields: object, message: string): void };

/** Names of a MaxMind-format file (GeoIP2, GeoLite2, DB-IP). Throws when it can not be read: whoever names a file means it. */
export async function openPlaces(path: string, log: Log): Promise<Places> {
  let reader = await read(path);
  let seen = await changedAt(path);
  return {
    of(address, locale) {
      const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
      if (isIP(plain) === 0 || !isPublicAddress(plain)) return undefined;
      const entry = lookUp(reader, plain);
      const country = nameOf(entry?.country, locale);
      const city = nameOf(entry?.city, locale);
      const code = entry?.country?.iso_code ?? null;
      return (country ?? city ?? code) ? { country: country ?? code, country_code: code, city } : undefined;
    },
    async refresh() {
      const now = await changedAt(path).catch(() => seen);
      if (now === seen) return;
      seen = now;
      try {
        reader = await read(path);
        log.info({ path }, 'the new GEOIP_DATABASE is in use');
      } catch (error) {
        log.warn({ err: error, path }, 'the new GEOIP_DATABASE can not be read; the old one stays in use');
      }
    },
  };
}

/** "Lisbon, Portugal" */
export const placeInWords = (place: Place | undefined): string | null =>
  place === undefined ? null : [place.city, place.country].filter(Boolean).join(', ') || null;

async function read(path: string): Promise<Reader<CityResponse>> {
  try {
    const file = await readFile(path);
    const { Reader } = await import('maxmind');
    const reader = new Reader<CityResponse>(file as never);
    // Half a file may have a sound end: the first lookup would find out.
    reader.get('1.1.1.1');
    return reader;
  } catch (cause) {
    throw new Error(`GEOIP_DATABASE: ${path} can not be read as a MaxMind database`, { cause });
  }
}

function lookUp(reader: Reader<CityResponse>, address: string): Entry | undefined {
  try {
    return (reader.get(address) as Entry | null) ?? undefined;
  } catch {
    // A file for IPv4 alone, or a damaged part of it: a missing name is all that comes of it.
    return undefined;
  }
}

function nameOf(named: Named | undefined, locale: string): string | null {
  const names = named?.names ?? {};
  const found = names[locale] ?? names[locale === 'pt' ? 'pt-BR' : locale] ?? names['en'];
  return typeof found === 'string' ? found.slice(0, 100) : null;
}

const changedAt = async (path: string): Promise<string> => {
  const { mtimeMs, size, ino } = await stat(path);
  return `${mtimeMs} ${size} ${ino}`;
};
