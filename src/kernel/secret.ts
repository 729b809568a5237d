import {
  createHash,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  createCipheriv,
  createDecipheriv,
  randomBytes,
  randomFillSync,
  randomInt,
  timingSafeEqual,
} from 'node:crypto';
import { FrequencyCache } from './frequency-cache.ts';

/** 256 random bits, base64url: for tokens, links and client secrets. */
export function newSecret(): string {
  return drawnBits(32);
}

/** 128 random bits, base64url, for what every answer needs anew. */
export function newNonce(): string {
  return drawnBits(16);
}

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let given = POOL_BYTES;

/** Bytes of the system's generator, drawn for many at once because asking costs more than they do; each is given out once and then wiped. */
function drawnBits(bytes: number): string {
  if (given + bytes > POOL_BYTES) {
    randomFillSync(pool);
    given = 0;
  }
  const text = pool.toString('base64url', given, given + bytes);
  pool.fill(0, given, given + bytes);
  given += bytes;
  return text;
}

/** A six-digit code, uniformly drawn. Only safe behind an attempt limit. */
export function newSixDigitCode(): string {
  return String(randomInt(0, 1_000_000)).padStart(6, '0');
}

/** SHA-256 as base64url. Enough for values with 256 random bits; never for passwords or short codes. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/** Compares in constant time for equal lengths; the length itself is not secret. */
export function sameSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** HMAC-SHA-256 as base64url. */
export function macOf(key: Buffer, message: string): string {
  return createHmac('sha256', preparedKey(key)).update(message).digest('base64url');
}

const preparedKeys = new WeakMap<Buffer, KeyObject>();

/** A key for HMACs. Making one of bytes takes several times as long as an HMAC with it. */
export function preparedKey(key: Buffer): KeyObject {
  let prepared = preparedKeys.get(key);
  if (!prepared) preparedKeys.set(key, (prepared = createSecretKey(key)));
  return prepared;
}

/** The deployment's root keys, newest first, each 32 bytes. Never used directly: every use derives its own. */
export type RootKeys = readonly [Buffer, ...Buffer[]];

/** A 32-byte key for one purpose (RFC 5869). Nobody writes into it: others have the same one. */
export function deriveKey(root: Buffer, purpose: string): Buffer {
  let known = derivedKeys.get(root);
  if (!known) derivedKeys.set(root, (known = new FrequencyCache(MOST_DERIVED)));
  const found = known.get(purpose);
  if (found) return found;
  const key = Buffer.from(hkdfSync('sha256', root, Buffer.alloc(0), purpose, 32));
  known.set(purpose, key);
  return key;
}

const MOST_DERIVED = 5000;
const derivedKeys = new WeakMap<Buffer, FrequencyCache<Buffer>>();

/** Where an envelope lives. It opens nowhere else (AES-GCM additional data). */
export type SealedAt = { appId: string; table: string; row: string; column: string };

const addressOf = (at: SealedAt): Buffer =>
  Buffer.from(JSON.stringify([at.appId, at.table, at.row, at.column]));

/** Seals under the newest root key: `v1.<key fingerprint>.<nonce><tag><ciphertext>`. */
export function seal(keys: RootKeys, at: SealedAt, plaintext: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', deriveKey(keys[0], 'envelope'), nonce).setAAD(addressOf(at));
  const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return `v1.${fingerprintOf(keys[0])}.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')}`;
}

/** Opens an envelope under any root key. Throws when it was moved, changed, or its key is gone. */
export function unseal(keys: RootKeys, at: SealedAt, envelope: string): string {
  const [version, fingerprint, data] = envelope.split('.');
  const root = keys.find((key) => fingerprintOf(key) === fingerprint);
  if (version !== 'v1' || !data) throw new Error(`not an envelope: ${at.table}.${at.column}`);
  if (!root)
    throw new Error(`no key of ENCRYPTION_KEYS opens ${at.table}.${at.column} (sealed under ${fingerprint})`);
  const bytes = Buffer.from(data, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', deriveKey(root, 'envelope'), bytes.subarray(0, 12));
  decipher.setAAD(addressOf(at)).setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
}

/** Which key an envelope is under: its second part. */
export function fingerprintOf(root: Buffer): string {
  return createHash('sha256').update('fingerprint').update(root).digest('base64url').slice(0, 8);
}
