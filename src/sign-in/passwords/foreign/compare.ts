import { readArgon2 } from './argon2.ts';
import { readBcrypt } from './bcrypt.ts';
import { readWrappedDigest } from './digest.ts';
import { readFirebaseScrypt } from './firebase-scrypt.ts';
import { readPbkdf2 } from './pbkdf2.ts';
import { readPhpass } from './phpass.ts';
import { readScrypt } from './scrypt.ts';
import type { Compare } from './family.ts';

/** Families whose own notation is what is kept. */
export const families = [readBcrypt, readScrypt, readPbkdf2, readPhpass, readArgon2];

const kept = [...families, readFirebaseScrypt, readWrappedDigest];

/** Whether a stored hash came from another system: everything that is not Argon2id as written here. */
export const isForeign = (stored: string): boolean => !stored.startsWith('$argon2id$');

/** How a hash that came from another system is compared with a password, off the event loop. */
export function comparing(stored: string): Compare {
  for (const read of kept) {
    const compare = read(stored);
    if (compare) return compare;
  }
  return () => Promise.resolve(false);
}
