import { type RootKeys, unseal } from '../../kernel/secret.ts';
import type { KeyRow } from '../store.ts';
import { type KeyTable, sealedHandleAt } from './generate.ts';
import { isSigningAlgorithm, type KeyVault } from './signer.ts';
import type { SigningKey } from './signing-key.ts';

/** A row of either table as a key that can be used. */
export function openKey(
  deps: { rootKeys: RootKeys; vault: KeyVault },
  at: KeyTable,
  row: KeyRow,
): SigningKey {
  const { algorithm, public_jwk: publicJwk } = row;
  if (!isSigningAlgorithm(algorithm)) throw new Error(`${row.key_id} is of an unknown algorithm`);
  return {
    keyId: row.key_id,
    algorithm,
    publicJwk,
    activeAt: row.active_at.getTime(),
    retiresAt: (row.retired_at ?? row.retires_at)?.getTime(),
    signer:
      row.private_jwk === null
        ? undefined
        : deps.vault.open({
            handle: JSON.parse(
              unseal(deps.rootKeys, sealedHandleAt(at, row.key_id), row.private_jwk),
            ) as Record<string, unknown>,
            publicJwk,
            algorithm,
          }),
  };
}
