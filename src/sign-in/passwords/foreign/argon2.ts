import { foldPassword } from '../fold.ts';
import { hashMalformed, hashTooCostly } from '../errors.ts';
import { bytesOf, type Compare, numbersOf } from './family.ts';

const MOST_KIB = 131_072;
const MOST_WORK = 1_048_576;
const MOST_LANES = 16;

/**
 * Argon2i, d or id of any parameters: kept, and written by Django, with the word `argon2` before it, which tells
 * it from those that were made here of a folded password.
 */
export function readArgon2(text: string): Compare | undefined {
  if (!text.startsWith('argon2$argon2')) return undefined;
  const hash = text.slice('argon2'.length);
  const [, parameters = '', salt, tag] =
    /^\$argon2(?:i|d|id)(?:\$v=(?:16|19))?\$([a-z0-9=,]+)\$([^$]+)\$([^$]+)$/.exec(hash) ?? [];
  const numbers = numbersOf(parameters);
  const [m, t, p] = ['m', 't', 'p'].map((name) => numbers?.get(name));
  if (!m || !t || !p || numbers?.size !== 3 || !bytesOf(salt, 8, 64) || !bytesOf(tag, 12, 64))
    throw hashMalformed('argon2');
  if (m < 8 * p) throw hashMalformed('argon2');
  if (m > MOST_KIB || m * t > MOST_WORK || p > MOST_LANES)
    throw hashTooCostly('128 MiB of memory, m·t of 1,048,576 and 16 lanes');
  return async (password, argon2) => {
    if (await argon2(hash, password)) return true;
    const folded = foldPassword(password);
    return folded !== password && argon2(hash, folded);
  };
}
