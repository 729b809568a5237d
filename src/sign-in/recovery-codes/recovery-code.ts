import { randomBytes } from 'node:crypto';
import { digestOf } from '../../kernel/secret.ts';

/** Crockford's base32: nothing in it is taken for something else. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 24;
export const HOW_MANY = 10;

/** 120 random bits in six groups of four: more than can be guessed, so that a plain digest hides it (OWASP ASVS 6.5.2). */
export function newRecoveryCode(): string {
  const letters = [...randomBytes(LENGTH)].map((byte) => ALPHABET[byte & 31]).join('');
  return letters.match(/.{4}/g)!.join('-');
}

/** As people type it: in capitals, with spaces, with an o for a zero. undefined when it can not be one. */
export function readRecoveryCode(input: string | undefined): string | undefined {
  const letters = (input ?? '')
    .slice(0, 128)
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{Pd}]/gu, '')
    .replaceAll('o', '0')
    .replace(/[il]/g, '1');
  return letters.length === LENGTH && [...letters].every((one) => ALPHABET.includes(one))
    ? letters
    : undefined;
}

/** What is stored of a code. */
export const digestOfCode = (code: string): string => digestOf(readRecoveryCode(code)!);
