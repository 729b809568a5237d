import type { Transaction } from '../../../storage/database.ts';
import { isConfidential } from '../../app.ts';
import { type AppChange, type AppsDeps, changeApp } from '../../change-app.ts';
import { toClient } from '../../registry.ts';
import { clientNotFound, publicClient, secretNotFound, tooManySecrets } from '../errors.ts';
import { clientById } from '../operator-store.ts';
import { expireOtherSecrets, liveSecrets, revokeSecret as endSecret } from './operator-store.ts';
import { issueSecret, type IssuedSecret } from './secret.ts';

const MOST_SECRETS = 10;

export type SecretChange = AppChange & { clientId: string };

/** One more secret beside the others. At most ten live at once. */
export function addSecret(
  deps: AppsDeps,
  change: SecretChange & { expiresInSeconds?: number | undefined },
): Promise<IssuedSecret> {
  const { appId, clientId, expiresInSeconds } = change;
  return changeApp(deps, change, async (tx) => {
    await requireRoomForSecret(tx, appId, clientId);
    const issued = await issueSecret(tx, { appId, clientId, expiresInSeconds });
    return {
      result: issued,
      event: 'client.secret_added',
      clientId,
      details: { secret_id: issued.row.secret_id },
    };
  });
}

/** A new secret; the older ones go on for `oldExpireInSeconds` (0: they end now), or as long as they would have. */
export function rotateSecret(
  deps: AppsDeps,
  change: SecretChange & { expiresInSeconds?: number | undefined; oldExpireInSeconds?: number | undefined },
): Promise<IssuedSecret> {
  const { appId, clientId, expiresInSeconds, oldExpireInSeconds } = change;
  return changeApp(deps, change, async (tx) => {
    await requireRoomForSecret(tx, appId, clientId, oldExpireInSeconds === 0);
    const issued = await issueSecret(tx, { appId, clientId, expiresInSeconds });
    if (oldExpireInSeconds !== undefined) {
      await expireOtherSecrets(tx, {
        appId,
        clientId,
        exceptId: issued.row.secret_id,
        inSeconds: oldExpireInSeconds,
      });
    }
    const details = { secret_id: issued.row.secret_id, old_expire_in: oldExpireInSeconds ?? null };
    return { result: issued, event: 'client.secret_rotated', clientId, details };
  });
}

/** Ends one secret now; the others go on. */
export function revokeSecret(deps: AppsDeps, change: SecretChange & { secretId: string }): Promise<void> {
  const { appId, clientId, secretId } = change;
  return changeApp(deps, change, async (tx) => {
    if (!(await clientById(tx, appId, clientId))) throw clientNotFound();
    if (!(await endSecret(tx, { appId, clientId, secretId }))) throw secretNotFound();
    return { result: undefined, event: 'client.secret_revoked', clientId, details: { secret_id: secretId } };
  });
}

/** The app's row is locked, so two at once do not both find room. */
async function requireRoomForSecret(
  tx: Transaction,
  appId: string,
  clientId: string,
  othersEnd = false,
): Promise<void> {
  const client = await clientById(tx, appId, clientId);
  if (!client) throw clientNotFound();
  if (!isConfidential(toClient(client))) throw publicClient();
  const live = await liveSecrets(tx, { appId, clientId });
  if (!othersEnd && live.length >= MOST_SECRETS) throw tooManySecrets(MOST_SECRETS);
}
