import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { ExternalSigningKey } from 'oidc-provider';
import type { SigningKey } from '../apps/keys/signing-key.ts';
import { unavailable } from '../kernel/problem.ts';

/** A key in the library's terms: it sees the public half, and asks ours for signatures. */
class KeyOfProvider extends ExternalSigningKey {
  readonly #key: SigningKey;
  readonly #jwk: Record<string, string | undefined>;
  #public: KeyObject | undefined;

  constructor(key: SigningKey) {
    super();
    this.#key = key;
    this.#jwk = key.publicJwk as Record<string, string>;
  }

  override get kid(): string {
    return this.#key.keyId;
  }

  override get alg(): string {
    return this.#key.algorithm;
  }

  // As stored: the library would import the key to find out.
  override get kty(): string {
    return this.#jwk['kty']!;
  }

  override get crv(): string | undefined {
    return this.#jwk['crv'];
  }

  override get n(): string | undefined {
    return this.#jwk['n'];
  }

  override get e(): string | undefined {
    return this.#jwk['e'];
  }

  override get x(): string | undefined {
    return this.#jwk['x'];
  }

  override get y(): string | undefined {
    return this.#jwk['y'];
  }

  override keyObject(): KeyObject {
    return (this.#public ??= createPublicKey({ key: this.#jwk as webcrypto.JsonWebKey, format: 'jwk' }));
  }

  override sign(data: Uint8Array): Promise<Uint8Array> {
    const { signer, keyId } = this.#key;
    if (!signer) throw unavailable(`the private half of ${keyId}`);
    return signer.sign(data);
  }
}

const known = new WeakMap<SigningKey, KeyOfProvider>();

/** The same object for the same key, so that both issuers and later providers share what was parsed. */
export function keyOfProvider(key: SigningKey): ExternalSigningKey {
  let found = known.get(key);
  if (!found) known.set(key, (found = new KeyOfProvider(key)));
  return found;
}

/** What a JWKS document says of a key (RFC 7517 §4): never more than its public half. */
export function publicJwkOf({ publicJwk, keyId, algorithm }: SigningKey) {
  const { kty, crv, n, e, x, y } = publicJwk as Record<string, string>;
  return { kty: kty!, crv, n, e, x, y, kid: keyId, alg: algorithm, use: 'sig' };
}

/** For verifying with any of these keys. */
export const keySetOf = (keys: readonly SigningKey[]): ReturnType<typeof createLocalJWKSet> =>
  createLocalJWKSet({
    keys: keys.map((key) => JSON.parse(JSON.stringify(publicJwkOf(key))) as { kty: string }),
  });

export const algorithmsOf = (keys: readonly SigningKey[]): SigningKey['algorithm'][] => [
  ...new Set(keys.map((key) => key.algorithm)),
];
