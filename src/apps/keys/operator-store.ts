import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { GeneratedKey } from './generate.ts';

export type PublishedKeyRow = {
  key_id: string;
  algorithm: string;
  public_jwk: Record<string, unknown>;
  created_at: Date;
  retired_at: Date | null;
};

/** Newest first, retired ones at the end; never the private half. */
export function listKeys(q: Queryable, appId: string): Promise<PublishedKeyRow[]> {
  return q.query<PublishedKeyRow>(sql`
    select key_id, algorithm, public_jwk, created_at, retired_at from signing_keys
    where app_id = ${appId} order by retired_at is not null, created_at desc, key_id desc limit 100`);
}

export async function insertKey(tx: Queryable, appId: string, key: GeneratedKey): Promise<PublishedKeyRow> {
  const [row] = await tx.query<PublishedKeyRow>(sql`
    insert into signing_keys (app_id, key_id, algorithm, public_jwk, private_jwk)
    values (${appId}, ${key.keyId}, ${key.algorithm}, ${key.publicJwk}::jsonb, ${key.sealedPrivateJwk})
    returning key_id, algorithm, public_jwk, created_at, retired_at`);
  return row!;
}

/** Out of the published set: nothing it signed is accepted any more. False when it was not in there. */
export async function retireKey(tx: Queryable, appId: string, keyId: string): Promise<boolean> {
  const rows = await tx.query(sql`
    update signing_keys set retired_at = now() where app_id = ${appId} and key_id = ${keyId} and retired_at is null returning 1`);
  return rows.length === 1;
}

/** The newest key of the shared issuer, if there is one. */
export async function hasDeploymentKey(q: Queryable): Promise<boolean> {
  const rows = await q.query(sql`select 1 from deployment_keys where retired_at is null limit 1`);
  return rows.length === 1;
}

/** One process at a time past this point, until the transaction ends. */
export async function lockDeploymentKeys(tx: Queryable): Promise<void> {
  await tx.query(sql`select pg_advisory_xact_lock(7355609)`);
}

export async function insertDeploymentKey(tx: Queryable, key: GeneratedKey): Promise<void> {
  await tx.query(sql`
    insert into deployment_keys (key_id, algorithm, public_jwk, private_jwk)
    values (${key.keyId}, ${key.algorithm}, ${key.publicJwk}::jsonb, ${key.sealedPrivateJwk})`);
}
