import { randomBytes } from 'node:crypto';

/** Type prefixes of ids; an id is `<prefix>_<UUIDv7 as 32 hex digits>`. */
export type IdPrefix = 'usr' | 'ses' | 'cli' | 'sec' | 'evt' | 'job' | 'key' | 'org' | 'con' | 'grt';

/** A new id, ordered by time of creation (RFC 9562 §5.7), 74 random bits. */
export function newId(prefix: IdPrefix, now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `${prefix}_${bytes.toString('hex')}`;
}

/** Whether `value` has the shape of an id of that type; says nothing about existence. */
export function isId(prefix: IdPrefix, value: string): boolean {
  return value.length === prefix.length + 33 && value.startsWith(`${prefix}_`) && /^[0-9a-f]{32}$/.test(value.slice(prefix.length + 1));
}
