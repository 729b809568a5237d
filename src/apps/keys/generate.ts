import { newId } from '../../kernel/id.ts';
import { type RootKeys, seal } from '../../kernel/secret.ts';
import type { KeyVault, SigningAlgorithm } from './signer.ts';

export type GeneratedKey = {
  keyId: string;
  algorithm: SigningAlgorithm;
  publicJwk: Record<string, unknown>;
  /** Sealed: the private JWK, or what another vault needs to find it. */
  sealedPrivateJwk: string;
};

/** Where a key's row is. `appId` is '' for a key of the deployment. */
export type KeyTable = { appId: string; table: 'signing_keys' | 'deployment_keys' };

export const sealedHandleAt = (at: KeyTable, keyId: string) => ({
  ...at,
  row: keyId,
  column: 'private_jwk',
});

/** A new signing key whose private half opens only in its own row. */
export async function generateSigningKey(
  deps: { rootKeys: RootKeys; keys: { vault: KeyVault } },
  at: KeyTable,
  algorithm: SigningAlgorithm,
): Promise<GeneratedKey> {
  const { publicJwk, handle } = await deps.keys.vault.generate(algorithm);
  const keyId = newId('key');
  return {
    keyId,
    algorithm,
    publicJwk: { ...publicJwk, kid: keyId, alg: algorithm, use: 'sig' },
    sealedPrivateJwk: seal(deps.rootKeys, sealedHandleAt(at, keyId), JSON.stringify(handle)),
  };
}
