import { newId } from '../../../kernel/id.ts';
import { digestOf, newSecret, type RootKeys, seal } from '../../../kernel/secret.ts';
import type { Queryable } from '../../../storage/database.ts';
import { sealedSecretAt } from '../../registry.ts';
import { insertSecret, type SecretRow } from './operator-store.ts';

/** A secret as it is shown: once. Only its digest is kept, unless the client signs with it. */
export type IssuedSecret = { secret: string; row: SecretRow };

/** `sealUnder`: for `client_secret_jwt`, whose secret has to be known again; its envelope is kept beside the digest. */
export async function issueSecret(
  tx: Queryable,
  at: {
    appId: string;
    clientId: string;
    expiresInSeconds?: number | undefined;
    sealUnder?: RootKeys | undefined;
  },
): Promise<IssuedSecret> {
  const secret = newSecret();
  const secretId = newId('sec');
  const row = await insertSecret(tx, {
    appId: at.appId,
    clientId: at.clientId,
    secretId,
    digest: digestOf(secret),
    expiresInSeconds: at.expiresInSeconds,
    ...(at.sealUnder ? { sealed: seal(at.sealUnder, sealedSecretAt(at.appId, secretId), secret) } : {}),
  });
  return { secret, row };
}
