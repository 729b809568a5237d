import type { SigningKey } from '../apps/keys/signing-key.ts';
import { unavailable } from '../kernel/problem.ts';

/** A JWT (RFC 7519) of ours that the library does not make. Problem `store.unavailable` when the key can not sign now. */
export async function signJwt(key: SigningKey, typ: string | undefined, claims: object): Promise<string> {
  const { signer, keyId, algorithm } = key;
  if (!signer) throw unavailable(`the private half of ${keyId}`);
  const data = [{ alg: algorithm, kid: keyId, typ }, claims].map(encoded).join('.');
  return `${data}.${Buffer.from(await signer.sign(Buffer.from(data))).toString('base64url')}`;
}

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
