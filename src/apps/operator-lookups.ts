import type { Database } from '../storage/database.ts';
import { sql } from '../storage/sql.ts';
import type { KeyRow } from './store.ts';

/** Operator's role: `client_routes` is not readable by the server's. */
export async function appOfClientId(operatorDb: Database, clientId: string): Promise<string | undefined> {
  const [row] = await operatorDb.query<{ owner_app: string }>(
    undefined,
    sql`select owner_app from client_routes where client_id = ${clientId}`,
  );
  return row?.owner_app;
}

/** The revision of every app that is served, and the store's time: milliseconds since the epoch. */
export async function servedRevisions(
  operatorDb: Database,
): Promise<{ revisions: Map<string, number>; storeTime: number }> {
  const [row] = await operatorDb.query<{ apps: string[]; revisions: string[]; store_time: number }>(
    undefined,
    sql`select coalesce(array_agg(app_id), '{}') as apps, coalesce(array_agg(revision), '{}') as revisions,
          extract(epoch from clock_timestamp())::float8 * 1000 as store_time
        from apps where disabled_at is null and deleted_at is null`,
  );
  const revisions = new Map(row!.apps.map((appId, at) => [appId, Number(row!.revisions[at])]));
  return { revisions, storeTime: row!.store_time };
}

/** The shared issuer's keys belong to no app; either role may read them. */
export function soundDeploymentKeys(db: Database): Promise<(KeyRow & { store_time: number })[]> {
  return db.query(
    undefined,
    sql`select key_id, algorithm, public_jwk, private_jwk, active_at, retires_at, retired_at,
          extract(epoch from clock_timestamp())::float8 * 1000 as store_time
        from deployment_keys where compromised_at is null`,
  );
}
