import { createHash } from 'node:crypto';
import { hashMalformed } from '../errors.ts';
import { bytesOf, type Compare } from './family.ts';

const LENGTHS = { md5: 16, sha1: 20, sha256: 32, sha512: 64 } as const;
export type DigestName = keyof typeof LENGTHS;
export const digestNames = Object.keys(LENGTHS) as [DigestName, ...DigestName[]];
export const isDigestName = (name: string): name is DigestName => Object.hasOwn(LENGTHS, name);

/** One digest of password and salt. `hash` is hexadecimal. */
export type SaltedDigest = {
  algorithm: DigestName;
  hash: string;
  salt: string;
  salt_encoding: 'utf8' | 'hex' | 'base64';
  salt_position: 'before' | 'after';
};

type Digest = { name: DigestName; salt: Buffer; position: 'before' | 'after' };

const LDAP: Record<string, DigestName> = {
  MD5: 'md5',
  SMD5: 'md5',
  SHA: 'sha1',
  SSHA: 'sha1',
  SHA256: 'sha256',
  SSHA256: 'sha256',
  SHA512: 'sha512',
  SSHA512: 'sha512',
};

const NAME = '$wrapped-digest$';

/**
 * A digest is guessed a billion times a second, so it does not rest here bare: what is kept is an Argon2id hash
 * of it. The Argon2id hash of the password itself takes its place at the first sign-in.
 */
export async function keptDigest(
  given: { digest: Digest; hash: Buffer },
  argon2: (text: string) => Promise<string>,
): Promise<string> {
  const { name, salt, position } = given.digest;
  return `${NAME}${name}$${position}$${salt.toString('base64')}${await argon2(given.hash.toString('hex'))}`;
}

/** `{SSHA}…`, `{SMD5}…` and the like (RFC 2307): base64 of the digest and, behind it, the salt. */
export function readLdapDigest(text: string): { digest: Digest; hash: Buffer } | undefined {
  const found = /^\{([A-Z0-9]{3,8})\}(.*)$/.exec(text);
  if (!found) return undefined;
  const name = LDAP[found[1]!];
  if (!name) return undefined;
  const length = LENGTHS[name];
  const isSalted = /^S(?!HA)|^SSHA/.test(found[1]!);
  const bytes = bytesOf(found[2], length + (isSalted ? 1 : 0), length + (isSalted ? 128 : 0));
  if (!bytes) throw hashMalformed(found[0]!.slice(0, found[1]!.length + 2));
  return {
    digest: { name, salt: bytes.subarray(length), position: 'after' },
    hash: bytes.subarray(0, length),
  };
}

export function readSaltedDigest(given: SaltedDigest): { digest: Digest; hash: Buffer } {
  const { algorithm: name, salt_encoding: encoding } = given;
  const hash = /^[0-9a-f]+$/i.test(given.hash) ? Buffer.from(given.hash, 'hex') : Buffer.alloc(0);
  const salt = encoding === 'base64' ? bytesOf(given.salt, 0, 256) : Buffer.from(given.salt, encoding);
  // Buffer.from stops at the first sign that is not hexadecimal.
  const isCut = encoding === 'hex' && salt?.length !== given.salt.length / 2;
  if (hash.length !== LENGTHS[name] || given.hash.length !== 2 * LENGTHS[name] || !salt || isCut)
    throw hashMalformed(name);
  return { digest: { name, salt, position: given.salt_position }, hash };
}

/** What `keptDigest` made. */
export function readWrappedDigest(text: string): Compare | undefined {
  if (!text.startsWith(NAME)) return undefined;
  const [name = '', position, saltText, ...argon2Parts] = text.slice(NAME.length).split('$');
  const salt = bytesOf(saltText, 0, 256);
  if (!isDigestName(name) || !salt || (position !== 'before' && position !== 'after'))
    throw hashMalformed(name);
  const wrapped = `$${argon2Parts.join('$')}`;
  return (password, argon2) => {
    const parts = [salt, Buffer.from(password)];
    const bytes = Buffer.concat(position === 'before' ? parts : parts.toReversed());
    return argon2(wrapped, createHash(name).update(bytes).digest('hex'));
  };
}
