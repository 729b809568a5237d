import { pbkdf2 } from 'node:crypto';
import { hashMalformed, hashTooCostly } from '../errors.ts';
import { areSame, bytesOf, type Compare } from './family.ts';

/** Of one block of the derived key: Keycloak derives two of SHA-256 and so does twice the work. */
const MOST_ROUNDS = 2_000_000;
const BLOCK_BYTES: Record<string, number> = { sha1: 20, sha256: 32, sha512: 64 };

/** `$pbkdf2-sha256$i=…$salt$hash` (PHC; passlib writes the bare number), and Django's `pbkdf2_sha256$…`, whose salt is text. */
export function readPbkdf2(text: string): Compare | undefined {
  if (!/^\$?pbkdf2[-_$]/.test(text)) return undefined;
  const phc = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,10})(?:,l=\d{1,4})?\$([^$]+)\$([^$]+)$/.exec(
    text,
  );
  const django = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,10})\$([^$]+)\$([^$]+)$/.exec(text);
  const [, digest = 'sha1', count, saltText = '', hash] = phc ?? django ?? [];
  const salt = phc ? bytesOf(saltText, 1, 128) : Buffer.from(saltText);
  const expected = bytesOf(hash, 16, 128);
  const iterations = Number(count);
  if (!salt || !expected || !(iterations >= 1)) throw hashMalformed('PBKDF2');
  if (iterations * Math.ceil(expected.length / BLOCK_BYTES[digest]!) > MOST_ROUNDS)
    throw hashTooCostly(`${MOST_ROUNDS.toLocaleString('en')} iterations for each block of its length`);
  return (password) =>
    new Promise((resolve, reject) => {
      // In Node's thread pool.
      pbkdf2(password, salt, iterations, expected.length, digest, (error, key) =>
        error ? reject(error) : resolve(areSame(key, expected)),
      );
    });
}
