import { everyApp } from '../../apps/operator-store.ts';
import { scoped } from '../../storage/database.ts';
import { type Replica, ReplicaFailed } from '../../storage/replica.ts';
import type { AdminApiDeps } from './deps.ts';
import type { Call, Operation, Reads } from './operation.ts';

type Deps = Pick<AdminApiDeps, 'db' | 'operatorDb' | 'ephemeral' | 'replica'>;
type Unplaced = Omit<Call<unknown, unknown, unknown>, 'reads'>;

/** Where what concerns no single app is remembered. */
const DEPLOYMENT = 'console';
const WRITTEN = 'admin-written';

/**
 * Marks the cursor of a page that the primary gave. A replica that is asked for the next one may not know of what stands
 * there yet, and whoever goes through the audit trail would never see it.
 */
const FROM_PRIMARY = 'p.';

/** Calls an operation with the place to read from, and remembers what was written. */
export async function handled(deps: Deps, operation: Operation, call: Unplaced): Promise<unknown> {
  if (operation.mayLag) return list(deps, operation, call);
  const primary = { ...call, reads: primaryOf(deps) };
  if (operation.method === 'GET' || !deps.replica) return operation.handle(primary);
  let answer: unknown;
  try {
    answer = await operation.handle(primary);
    return answer;
  } finally {
    // Also of one that failed: it may have been written all the same.
    await remember(deps, deps.replica, operation, [appOf(call.params), appOf(answer)]);
  }
}

async function list(deps: Deps, operation: Operation, call: Unplaced): Promise<unknown> {
  const { after } = call.query as { after?: string };
  const isMarked = after?.startsWith(FROM_PRIMARY) ?? false;
  const query = isMarked
    ? { ...(call.query as object), after: after!.slice(FROM_PRIMARY.length) }
    : call.query;
  const { replica } = deps;
  const isLagging = operation.mayLag!(query);
  if (
    replica &&
    isLagging &&
    !isMarked &&
    replica.isUsable &&
    !(await wasWritten(deps, appOf(call.params)))
  ) {
    try {
      const page = await operation.handle({ ...call, query, reads: replicaOf(replica) });
      replica.count('replica');
      return page;
    } catch (error) {
      if (!(error instanceof ReplicaFailed)) throw error;
    }
  }
  const page = (await operation.handle({ ...call, query, reads: primaryOf(deps) })) as {
    next: string | null;
  };
  if (!replica || !isLagging) return page;
  replica.count('primary');
  return page.next === null ? page : { ...page, next: FROM_PRIMARY + page.next };
}

const primaryOf = ({ db, operatorDb }: Deps): Reads => ({
  ofApp: (appId) => scoped(db, appId),
  ofEveryApp: everyApp(operatorDb),
});

const replicaOf = (replica: Replica): Reads => ({
  ofApp: (appId) => replica.reading(appId),
  ofEveryApp: replica.reading(undefined),
});

function appOf(named: unknown): string | undefined {
  const appId = (named as { app_id?: unknown } | undefined)?.app_id;
  return typeof appId === 'string' ? appId : undefined;
}

/** For as long as the replica may not know of it, in all processes: who changed something finds it in the next list. */
async function remember(
  { ephemeral }: Deps,
  { maxLagSeconds }: Replica,
  { scope }: Operation,
  apps: (string | undefined)[],
): Promise<void> {
  const places = new Set([...apps, ...(scope.startsWith('apps:') ? [DEPLOYMENT] : [])]);
  // Without the mark a list may be some seconds old, which is what is promised of lists.
  for (const place of places)
    if (place !== undefined)
      await ephemeral.put(place, WRITTEN, '1', { ttlSeconds: maxLagSeconds + 1 }).catch(() => false);
}

/** When nobody can say so, yes. */
const wasWritten = ({ ephemeral }: Deps, appId: string | undefined): Promise<boolean> =>
  ephemeral.read(appId ?? DEPLOYMENT, WRITTEN).then(
    (found) => found !== undefined,
    () => true,
  );
