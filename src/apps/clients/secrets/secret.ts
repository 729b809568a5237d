import { newId } from '../../../kernel/id.ts';
import { digestOf, newSecret } from '../../../kernel/secret.ts';
import type { Queryable } from '../../../storage/database.ts';
import { insertSecret, type SecretRow } from './operator-store.ts';

/** A secret as it is shown: once. Only its digest is kept. */
export type IssuedSecret = { secret: string; row: SecretRow };

export async function issueSecret(
  tx: Queryable,
  at: { appId: string; clientId: string; expiresInSeconds?: number | undefined },
): Promise<IssuedSecret> {
  const secret = newSecret();
  const row = await insertSecret(tx, {
    appId: at.appId,
    clientId: at.clientId,
    secretId: newId('sec'),
    digest: digestOf(secret),
    expiresInSeconds: at.expiresInSeconds,
  });
  return { secret, row };
}
