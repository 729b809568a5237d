import { createPublicKey, type JsonWebKeyInput, type KeyObject, X509Certificate } from 'node:crypto';

type Jwk = Record<string, unknown>;

const MOST_BYTES = 16_384;
const LEAST_RSA_BITS = 2048;
/** RFC 7518 §6.2.2, §6.3.2, §6.4.1: what only the owner of a key may know. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const CURVES = new Set(['P-256', 'P-384', 'P-521', 'Ed25519']);

/** Why a set of public keys is not one, in words; undefined when it is. The message never repeats a member's value. */
export function keySetFault(keys: readonly Jwk[]): string | undefined {
  if (Buffer.byteLength(JSON.stringify(keys)) > MOST_BYTES) return `is larger than ${MOST_BYTES / 1024} kB`;
  const names = keys.map((key) => key['kid']).filter((kid) => kid !== undefined);
  if (new Set(names).size !== names.length) return 'names two keys alike (kid)';
  for (const [i, key] of keys.entries()) {
    const fault = keyFault(key);
    if (fault) return `keys.${i} ${fault}`;
  }
  return undefined;
}

/** Why one key is not a public key that we take. */
export function keyFault(jwk: Jwk): string | undefined {
  const secret = PRIVATE_MEMBERS.find((name) => jwk[name] !== undefined);
  if (secret)
    return `holds "${secret}", which is part of a private key: send the public half, and replace this key, since it has left its owner`;
  for (const name of ['kid', 'alg', 'use']) {
    if (jwk[name] !== undefined && (typeof jwk[name] !== 'string' || !jwk[name] || jwk[name].length > 256))
      return `has a "${name}" that is no name`;
  }
  const key = publicKeyOf(jwk);
  if (!key) return 'is not a public RSA, EC or Ed25519 key (RFC 7517)';
  if (jwk['kty'] === 'RSA' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < LEAST_RSA_BITS)
    return `is shorter than ${LEAST_RSA_BITS} bits`;
  return jwk['x5c'] === undefined ? undefined : certificateFault(jwk['x5c'], key);
}

function publicKeyOf(jwk: Jwk): KeyObject | undefined {
  if (jwk['kty'] !== 'RSA' && !CURVES.has(String(jwk['crv']))) return undefined;
  try {
    return createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** RFC 7517 §4.7: the first certificate is the key's own. */
function certificateFault(x5c: unknown, key: KeyObject): string | undefined {
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof first !== 'string') return 'has an x5c that holds no certificate';
  try {
    const certificate = new X509Certificate(Buffer.from(first, 'base64'));
    return certificate.publicKey.equals(key) ? undefined : 'has an x5c that belongs to another key';
  } catch {
    return 'has an x5c that holds no certificate';
  }
}

/** Whether one of the keys comes with its certificate. */
export const hasCertificate = (keys: readonly Jwk[]): boolean => keys.some((key) => key['x5c'] !== undefined);
