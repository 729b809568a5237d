import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { newId } from '../../kernel/id.ts';
import { type RootKeys, seal } from '../../kernel/secret.ts';

export type GeneratedKey = {
  keyId: string;
  algorithm: 'RS256';
  publicJwk: Record<string, unknown>;
  sealedPrivateJwk: string;
};

const generate = promisify(generateKeyPair);

/** A new signing key whose private half opens only in its own row. `appId` is '' for a key of the deployment. */
export async function generateSigningKey(
  rootKeys: RootKeys,
  at: { appId: string; table: 'signing_keys' | 'deployment_keys' },
): Promise<GeneratedKey> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 });
  const keyId = newId('key');
  const about = { kid: keyId, alg: 'RS256', use: 'sig' } as const;
  const privateJwk = JSON.stringify({ ...privateKey.export({ format: 'jwk' }), ...about });
  return {
    keyId,
    algorithm: 'RS256',
    publicJwk: { ...publicKey.export({ format: 'jwk' }), ...about },
    sealedPrivateJwk: seal(rootKeys, { ...at, row: keyId, column: 'private_jwk' }, privateJwk),
  };
}
