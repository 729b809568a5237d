import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { deriveKey, preparedKey, type RootKeys } from '../kernel/secret.ts';

/** Signs cookies for one app: one HMAC with a prepared key, where the stock signer makes three and random padding. */
export type CookieSigner = {
  sign(data: string): string;
  verify(data: string, signature: string): boolean;
  index(data: string, signature: string): number;
};

/**
 * The newest root key signs, all verify. Another app's key is another key, so a renamed cookie does not verify. Derived when
 * the first cookie is met: machines bring none.
 */
export function cookieSigner(rootKeys: RootKeys, appId: string): CookieSigner {
  let keys: KeyObject[] | undefined;
  const keysOfApp = (): KeyObject[] =>
    (keys ??= rootKeys.map((root) => preparedKey(deriveKey(root, `cookies:${appId}`))));
  const mac = (index: number, data: string): Buffer =>
    createHmac('sha256', keysOfApp()[index]!).update(data).digest();
  const index = (data: string, signature: string): number => {
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== 32) return -1;
    return keysOfApp().findIndex((_key, i) => timingSafeEqual(given, mac(i, data)));
  };
  return {
    sign: (data) => mac(0, data).toString('base64url'),
    verify: (data, signature) => index(data, signature) >= 0,
    index,
  };
}
