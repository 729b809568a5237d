import type { Transaction } from '../../../storage/database.ts';
import { authMethodOf, hasSecret } from '../../app.ts';
import type { AuthMethod } from '../../authentication-settings.ts';
import { type AppChange, type AppsDeps, changeApp } from '../../change-app.ts';
import { toClient } from '../../registry.ts';
import { clientNotFound, oneSecretOnly, publicClient, secretNotFound, tooManySecrets } from '../errors.ts';
import { clientById } from '../operator-store.ts';
import {
  expireOtherSecrets,
  forgetSealedSecrets,
  liveSecrets,
  revokeAllSecrets,
  revokeSecret as endSecret,
} from './operator-store.ts';
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
    const method = await requireRoomForSecret(tx, appId, clientId);
    const issued = await issueSecret(tx, { appId, clientId, expiresInSeconds, ...sealing(deps, method) });
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
    const signs = await signsWithSecret(tx, appId, clientId);
    // Two signing secrets at once would mean two keys to try, and one more that can be stolen.
    if (signs && oldExpireInSeconds) throw oneSecretOnly();
    const end = signs ? 0 : oldExpireInSeconds;
    if (end === 0) await revokeAllSecrets(tx, { appId, clientId });
    const method = await requireRoomForSecret(tx, appId, clientId);
    const issued = await issueSecret(tx, { appId, clientId, expiresInSeconds, ...sealing(deps, method) });
    if (oldExpireInSeconds) {
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

/** The secret of a client that had none before; undefined for methods that need none. */
export async function issueFirstSecret(
  deps: Pick<AppsDeps, 'rootKeys'>,
  tx: Transaction,
  at: { appId: string; clientId: string; method: AuthMethod; expiresInSeconds?: number | undefined },
): Promise<IssuedSecret | undefined> {
  const { method, ...rest } = at;
  return method.startsWith('client_secret_')
    ? issueSecret(tx, { ...rest, ...sealing(deps, method) })
    : undefined;
}

/**
 * What a change of method does to the secrets: a client that begins to sign with its secret gets a new one, since of the
 * old ones only digests are known; one that needs none any more loses them all.
 */
export async function followMethod(
  deps: Pick<AppsDeps, 'rootKeys'>,
  tx: Transaction,
  change: { appId: string; clientId: string; from: AuthMethod; to: AuthMethod },
): Promise<IssuedSecret | undefined> {
  const { appId, clientId, from, to } = change;
  if (from === to) return undefined;
  const at = { appId, clientId };
  if (to === 'client_secret_jwt' || !to.startsWith('client_secret_')) await revokeAllSecrets(tx, at);
  if (from === 'client_secret_jwt') await forgetSealedSecrets(tx, at);
  const staysWithDigests = from.startsWith('client_secret_') && to !== 'client_secret_jwt';
  return staysWithDigests ? undefined : issueFirstSecret(deps, tx, { ...at, method: to });
}

const sealing = (deps: Pick<AppsDeps, 'rootKeys'>, method: AuthMethod) =>
  method === 'client_secret_jwt' ? { sealUnder: deps.rootKeys } : {};

async function signsWithSecret(tx: Transaction, appId: string, clientId: string): Promise<boolean> {
  const client = await clientById(tx, appId, clientId);
  return client !== undefined && authMethodOf(toClient(client)) === 'client_secret_jwt';
}

/** The app's row is locked, so two at once do not both find room. */
async function requireRoomForSecret(tx: Transaction, appId: string, clientId: string): Promise<AuthMethod> {
  const client = await clientById(tx, appId, clientId);
  if (!client) throw clientNotFound();
  if (!hasSecret(toClient(client))) throw publicClient();
  const method = authMethodOf(toClient(client));
  const live = await liveSecrets(tx, { appId, clientId });
  if (method === 'client_secret_jwt' && live.length > 0) throw oneSecretOnly();
  if (live.length >= MOST_SECRETS) throw tooManySecrets(MOST_SECRETS);
  return method;
}
