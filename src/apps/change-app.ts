import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import type { RootKeys } from '../kernel/secret.ts';
import type { Outgoing } from '../http/outgoing.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { appNotFound } from './errors.ts';
import { bumpRevision, lockApp } from './operator-store.ts';
import type { AppRegistry } from './registry.ts';
import type { KeyVault } from './keys/signer.ts';
import { requireProfile } from './security-profile.ts';
import { ensureSalt } from './subjects/salt.ts';
import type { AppRow } from './store.ts';

export type KeyPolicy = {
  vault: KeyVault;
  /** How long a key is published before it signs. */
  leadSeconds: number;
};

/** What every change of an app needs. */
export type AppsDeps = {
  operatorDb: Database;
  rootKeys: RootKeys;
  registry: Pick<AppRegistry, 'forget'>;
  keys: KeyPolicy;
  /** For documents that somebody else named. */
  outgoing: Outgoing;
  /** Puts work into the outbox, in the caller's transaction. */
  enqueueJob(tx: Transaction, job: { appId: string; kind: string; payload: object }): Promise<void>;
};

export type AppChange = { appId: string; by: Author };

/** Without `event` nothing was changed. */
type Recorded<T> = {
  result: T;
  event: string | undefined;
  clientId?: string;
  details?: Record<string, unknown>;
};

/**
 * One change of an app, its clients or its keys: alone, all or nothing, recorded, and known to every process
 * (to this one at once). Problem `apps.not_found` for unknown and deleted apps.
 */
export async function changeApp<T>(
  deps: AppsDeps,
  { appId, by }: AppChange,
  work: (tx: Transaction, app: AppRow) => Promise<Recorded<T>>,
): Promise<T> {
  return deps.operatorDb.transaction(undefined, async (tx) => {
    const app = await lockApp(tx, appId);
    if (!app) throw appNotFound();
    const { result, event, clientId, details } = await work(tx, app);
    if (event === undefined) return result;
    await requireProfile(tx, appId);
    await ensureSalt(tx, deps.rootKeys, appId);
    await bumpRevision(tx, appId);
    await audit(tx, {
      ...by,
      appId,
      type: event,
      result: 'success',
      ...(clientId ? { clientId } : {}),
      ...(details ? { details } : {}),
    });
    tx.afterCommit(() => deps.registry.forget(appId));
    return result;
  });
}
