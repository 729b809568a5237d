import { constants, createPublicKey, type KeyObject, verify, type webcrypto } from 'node:crypto';
import { z } from 'zod';
import type { Outgoing } from '../../http/outgoing.ts';
import { unavailable } from '../../kernel/problem.ts';
import { localVault } from './local-vault.ts';
import type { KeyVault, SigningAlgorithm } from './signer.ts';

const TIMEOUT_MS = 3000;

const made = z.object({
  handle: z.record(z.string(), z.unknown()),
  public_jwk: z.object({ kty: z.enum(['RSA', 'EC', 'OKP']) }).catchall(z.string()),
});
const signed = z.object({ signature: z.base64url() });

export type RemoteVaultDeps = {
  outgoing: Outgoing;
  /** Without a trailing slash. */
  url: string;
  token: string | undefined;
};

/**
 * Private halves that live in a signer of the operator's, in front of a KMS or HSM (docs/operations.md says what it has
 * to answer). Its answers are checked: a signature that does not verify is never handed out.
 */
export function remoteVault(deps: RemoteVaultDeps): KeyVault {
  return {
    async generate(algorithm) {
      const { handle, public_jwk: publicJwk } = await ask(deps, '/keys', { algorithm }, made);
      const { kty, crv, n, e, x, y } = publicJwk;
      const known = Object.entries({ kty, crv, n, e, x, y }).filter(([, value]) => value !== undefined);
      return { publicJwk: Object.fromEntries(known), handle: { remote: handle } };
    },

    open({ handle, publicJwk, algorithm }) {
      let publicKey: KeyObject | undefined;
      return {
        async sign(data) {
          const body = {
            handle: handle['remote'],
            algorithm,
            data: Buffer.from(data).toString('base64url'),
          };
          const answer = await ask(deps, '/sign', body, signed);
          const signature = Buffer.from(answer.signature, 'base64url');
          publicKey ??= createPublicKey({ key: publicJwk as webcrypto.JsonWebKey, format: 'jwk' });
          if (!isSignature(algorithm, publicKey, data, signature))
            throw unavailable('the signer', new Error('its signature does not verify'));
          return signature;
        },
      };
    },
  };
}

/** New keys are made where `remote` says; a key that was made before is used where it is. */
export function vaultOf(remote: KeyVault | undefined): KeyVault {
  return {
    generate: (algorithm) => (remote ?? localVault).generate(algorithm),
    open(key) {
      if (!('remote' in key.handle)) return localVault.open(key);
      return (
        remote?.open(key) ?? { sign: () => Promise.reject(unavailable('the signer (SIGNER_URL is unset)')) }
      );
    },
  };
}

async function ask<T>(
  { outgoing, url, token }: RemoteVaultDeps,
  path: string,
  body: object,
  schema: z.ZodType<T>,
): Promise<T> {
  try {
    const response = await outgoing(url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      timeoutMs: TIMEOUT_MS,
      maxBytes: 16_384,
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return schema.parse(await response.json());
  } catch (error) {
    throw unavailable('the signer', error);
  }
}

function isSignature(
  algorithm: SigningAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const checks: Record<SigningAlgorithm, () => boolean> = {
    RS256: () => verify('sha256', data, key, signature),
    PS256: () =>
      verify('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, signature),
    ES256: () => verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature),
    EdDSA: () => verify(null, data, key, signature),
  };
  return checks[algorithm]();
}
