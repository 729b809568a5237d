import { createHmac } from 'node:crypto';
import { deriveKey, macOf, type RootKeys, sameSecret } from '../../kernel/secret.ts';

/**
 * The six digits of a link. Derived from the link's secret, which only its opener brings: shown again when the
 * page is loaded again, yet nothing that is stored leads to it. Uniform: 2^64 mod 10^6 is a bias below 10^-13.
 */
export function codeOf(rootKeys: RootKeys, appId: string, secret: string): string {
  const mac = createHmac('sha256', deriveKey(rootKeys[0], 'mailed code'))
    .update(JSON.stringify([appId, secret]))
    .digest();
  return String(mac.readBigUInt64BE(0) % 1_000_000n).padStart(6, '0');
}

/** What is stored of a code: keyed, because a bare digest of a million possibilities hides nothing. */
export function macOfCode(rootKeys: RootKeys, digest: string, code: string): string {
  return macOf(deriveKey(rootKeys[0], 'mailed code at rest'), `${digest}.${code}`);
}

export function isCode(
  rootKeys: RootKeys,
  at: { digest: string; code: string },
  mac: string | undefined,
): boolean {
  return mac !== undefined && sameSecret(macOfCode(rootKeys, at.digest, at.code), mac);
}

/** As people type it: with spaces. undefined when it is not six digits. */
export function readCode(input: string | undefined): string | undefined {
  const digits = (input ?? '').slice(0, 64).normalize('NFKC').replace(/[\s-]/g, '');
  return /^[0-9]{6}$/.test(digits) ? digits : undefined;
}
