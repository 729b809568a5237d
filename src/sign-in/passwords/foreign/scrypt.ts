import { scrypt } from 'node:crypto';
import { hashMalformed, hashTooCostly } from '../errors.ts';
import { areSame, bytesOf, type Compare, numbersOf } from './family.ts';

export type Work = { n: number; r: number; p: number };

const MOST_BYTES = 128 * 1024 * 1024;
const MOST_WORK = 2 ** 22;

/** `$scrypt$ln=…,r=…,p=…$salt$hash` (PHC), and Django's `scrypt$n$salt$r$p$hash`, whose salt is text. */
export function readScrypt(text: string): Compare | undefined {
  if (text.startsWith('$scrypt$')) return readPhc(text);
  if (!text.startsWith('scrypt$')) return undefined;
  const [, n, salt, r, p, hash, ...more] = text.split('$');
  const numbers = [n, r, p].map((part) => (/^\d{1,10}$/.test(part ?? '') ? Number(part) : 0));
  const expected = bytesOf(hash, 16, 128);
  if (!expected || !salt || more.length > 0) throw hashMalformed('scrypt');
  const work = requireBearable({ n: numbers[0]!, r: numbers[1]!, p: numbers[2]! });
  return async (password) =>
    areSame(await derive(password, Buffer.from(salt), work, expected.length), expected);
}

function readPhc(text: string): Compare {
  const [, , parameters = '', salt, hash, ...more] = text.split('$');
  const numbers = numbersOf(parameters);
  const [saltBytes, expected] = [bytesOf(salt, 1, 128), bytesOf(hash, 16, 128)];
  const [ln, r, p] = ['ln', 'r', 'p'].map((name) => numbers?.get(name));
  if (!numbers || numbers.size !== 3 || !ln || !r || !p || !saltBytes || !expected || more.length > 0)
    throw hashMalformed('scrypt');
  const work = requireBearable({ n: 2 ** ln, r, p });
  return async (password) => areSame(await derive(password, saltBytes, work, expected.length), expected);
}

/** RFC 7914 §6: memory is 128·n·r bytes, and time grows with n·r·p. */
export function requireBearable({ n, r, p }: Work): Work {
  if (128 * n * r > MOST_BYTES || n * r * p > MOST_WORK)
    throw hashTooCostly('128 MiB of memory (128·n·r bytes) and n·r·p of 4,194,304');
  if (!Number.isInteger(Math.log2(n)) || n < 2 || r < 1 || p < 1) throw hashMalformed('scrypt');
  return { n, r, p };
}

/** In Node's thread pool. */
export function derive(password: string, salt: Buffer, { n, r, p }: Work, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, { N: n, r, p, maxmem: 2 * MOST_BYTES }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
