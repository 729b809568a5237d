import { createCipheriv } from 'node:crypto';
import { hashMalformed } from '../errors.ts';
import { areSame, bytesOf, type Compare, numbersOf } from './family.ts';
import { derive, requireBearable, type Work } from './scrypt.ts';

/** As `firebase auth:export` writes it, with the project's parameters. Everything but the numbers is base64. */
export type FirebaseScrypt = {
  hash: string;
  salt: string;
  salt_separator: string;
  signer_key: string;
  rounds: number;
  mem_cost: number;
};

const NAME = '$firebase-scrypt$';

/**
 * Firebase encrypts the project's signer key (AES-256-CTR, a counter of zero) under a key that scrypt derives. The
 * key stream says as much, so it is kept instead, and the signer key, the same for all users, is not.
 */
export function keptFirebaseScrypt(given: FirebaseScrypt): string {
  const [hash, salt, separator, signer] = [
    bytesOf(given.hash, 32, 128),
    bytesOf(given.salt, 1, 128),
    bytesOf(given.salt_separator, 0, 32),
    bytesOf(given.signer_key, 32, 128),
  ];
  if (!hash || !salt || !separator || !signer || hash.length !== signer.length)
    throw hashMalformed('firebase_scrypt');
  requireBearable(workOf(given.mem_cost, given.rounds));
  const keyStream = Buffer.from(hash.map((byte, i) => byte ^ signer[i]!));
  const parts = [Buffer.concat([salt, separator]), keyStream].map((bytes) => bytes.toString('base64'));
  return `${NAME}ln=${given.mem_cost},r=${given.rounds}$${parts.join('$')}`;
}

const workOf = (memoryCost: number, rounds: number): Work => ({ n: 2 ** memoryCost, r: rounds, p: 1 });

/** What `keptFirebaseScrypt` made. */
export function readFirebaseScrypt(text: string): Compare | undefined {
  if (!text.startsWith(NAME)) return undefined;
  const [parameters = '', saltText, keyStreamText] = text.slice(NAME.length).split('$');
  const numbers = numbersOf(parameters);
  const [salt, expected] = [bytesOf(saltText, 1, 256), bytesOf(keyStreamText, 32, 128)];
  if (!salt || !expected) throw hashMalformed('firebase_scrypt');
  const work = requireBearable(workOf(numbers?.get('ln') ?? 0, numbers?.get('r') ?? 0));
  return async (password) => {
    const key = await derive(password, salt, work, 32);
    const keyStream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(
      Buffer.alloc(expected.length),
    );
    return areSame(keyStream, expected);
  };
}
