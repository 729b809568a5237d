import { randomBytes } from 'node:crypto';

/** Type prefixes of ids; an id is `<prefix>_<UUIDv7 as 32 hex digits>`. */
export type IdPrefix =
  | 'usr'
  | 'ses'
  | 'cli'
  | 'sec'
  | 'evt'
  | 'job'
  | 'key'
  | 'org'
  | 'con'
  | 'grt'
  | 'msg'
  | 'api'
  | 'iat'
  | 'dev'
  | 'psk';

let lastMs = 0;
let sequence = 0;

/** A new id (RFC 9562 §5.7): within a process each is greater than the one before, with at least 62 random bits. */
export function newId(prefix: IdPrefix, now: number = Date.now()): string {
  const bytes = randomBytes(16);
  if (now > lastMs) {
    lastMs = now;
    // Half of the range is left to count in (§6.2, method 1).
    sequence = bytes.readUInt16BE(6) & 0x07ff;
  } else {
    sequence += 1;
    if (sequence > 0x0fff) [lastMs, sequence] = [lastMs + 1, 0];
  }
  bytes.writeUIntBE(lastMs, 0, 6);
  bytes.writeUInt16BE(0x7000 | sequence, 6);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `${prefix}_${bytes.toString('hex')}`;
}

/** Whether `value` has the shape of an id of that type; says nothing about existence. */
export function isId(prefix: IdPrefix, value: string): boolean {
  return (
    value.length === prefix.length + 33 &&
    value.startsWith(`${prefix}_`) &&
    /^[0-9a-f]{32}$/.test(value.slice(prefix.length + 1))
  );
}
