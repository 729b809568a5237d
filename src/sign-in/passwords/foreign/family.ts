import { timingSafeEqual } from 'node:crypto';

/** Compares a password, as it was typed, with one hash. `argon2` compares with an Argon2 hash of any parameters. */
export type Compare = (
  password: string,
  argon2: (hash: string, password: string) => Promise<boolean>,
) => Promise<boolean>;

/** Standard, URL-safe and crypt-like base64, padded or not. undefined: none of them, or of another length than asked for. */
export function bytesOf(text: string | undefined, least: number, most: number): Buffer | undefined {
  const plain = (text ?? '').replace(/=+$/, '').replace(/[.-]/g, '+').replaceAll('_', '/');
  if (!/^[A-Za-z0-9+/]*$/.test(plain) || plain.length % 4 === 1) return undefined;
  const bytes = Buffer.from(plain, 'base64');
  return bytes.length >= least && bytes.length <= most ? bytes : undefined;
}

export const areSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);

/** `ln=14,r=8` as numbers; undefined where something else stands there. */
export function numbersOf(text: string): Map<string, number> | undefined {
  if (!/^[a-z]+=\d{1,10}(?:,[a-z]+=\d{1,10})*$/.test(text)) return undefined;
  return new Map(
    text.split(',').map((part) => {
      const [name = '', value] = part.split('=');
      return [name, Number(value)] as const;
    }),
  );
}
