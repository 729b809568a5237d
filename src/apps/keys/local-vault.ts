import {
  constants,
  createPrivateKey,
  generateKeyPair,
  type KeyObject,
  sign,
  type webcrypto,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyVault, SigningAlgorithm } from './signer.ts';

const generate = promisify(generateKeyPair);

/** The vault that needs nothing else: private halves are sealed in their rows and opened in this process. */
export const localVault: KeyVault = {
  async generate(algorithm) {
    const { publicKey, privateKey } = await newPair(algorithm);
    return {
      publicJwk: { ...publicKey.export({ format: 'jwk' }) },
      handle: { ...privateKey.export({ format: 'jwk' }) },
    };
  },

  open({ handle, algorithm }) {
    let key: KeyObject | undefined;
    return {
      async sign(data) {
        key ??= createPrivateKey({ key: handle as webcrypto.JsonWebKey, format: 'jwk' });
        return signatures[algorithm](data, key);
      },
    };
  },
};

function newPair(algorithm: SigningAlgorithm): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (algorithm === 'ES256') return generate('ec', { namedCurve: 'P-256' });
  if (algorithm === 'EdDSA') return generate('ed25519');
  return generate('rsa', { modulusLength: 2048 });
}

type Sign = (data: Uint8Array, key: KeyObject) => Uint8Array | Promise<Uint8Array>;

/** RSA takes 0.7 ms and goes to the thread pool; the others take less than the way there. */
const signatures: Record<SigningAlgorithm, Sign> = {
  RS256: (data, key) => inThreadPool(data, key),
  // RFC 7518 §3.5: the salt is as long as the hash.
  PS256: (data, key) => inThreadPool(data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  // RFC 7518 §3.4: R and S one after the other, not DER.
  ES256: (data, key) => plainOf(sign('sha256', data, key)),
  EdDSA: (data, key) => sign(null, data, key),
};

function inThreadPool(
  data: Uint8Array,
  key: KeyObject | { key: KeyObject; padding: number; saltLength: number },
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign('sha256', data, key, (error, signature) => (error ? reject(error) : resolve(signature)));
  });
}

/** DER (SEQUENCE of two INTEGERs) as R and S of 32 bytes each. Asking Node for that form doubles the time of a signature. */
function plainOf(der: Buffer): Buffer {
  const plain = Buffer.alloc(64);
  // Two integers of 33 bytes at most: every length is one byte.
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1]!;
    const from = at + 2 + Math.max(0, length - 32);
    at += 2 + length;
    der.copy(plain, end - (at - from), from, at);
  }
  return plain;
}
