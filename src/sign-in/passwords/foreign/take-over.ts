import { hashUnknown } from '../errors.ts';
import { families } from './compare.ts';
import { type SaltedDigest, keptDigest, readLdapDigest, readSaltedDigest } from './digest.ts';
import { type FirebaseScrypt, keptFirebaseScrypt } from './firebase-scrypt.ts';

/** A hash as an operator brings it: in its standard notation, or with its parts named where there is none. */
export type GivenHash = string | ({ algorithm: 'firebase_scrypt' } & FirebaseScrypt) | SaltedDigest;

/**
 * What is kept of a hash of another system until its owner signs in. Problems `password_hash.unknown`,
 * `password_hash.malformed` and `password_hash.too_costly`: one that could tie up a core for many seconds at each try.
 */
export async function takeOver(given: GivenHash, argon2: (text: string) => Promise<string>): Promise<string> {
  if (typeof given !== 'string')
    return given.algorithm === 'firebase_scrypt'
      ? keptFirebaseScrypt(given)
      : keptDigest(readSaltedDigest(given), argon2);
  const digest = readLdapDigest(given);
  if (digest) return keptDigest(digest, argon2);
  const kept = given.startsWith('$argon2') ? `argon2${given}` : given;
  if (families.some((read) => read(kept) !== undefined)) return kept;
  throw hashUnknown();
}
