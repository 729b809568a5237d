import type { Queryable } from '../../../storage/database.ts';
import { sql } from '../../../storage/sql.ts';
import type { KeyShelf, KeyStateRow } from '../shelf.ts';

/** The keys of the shared issuer (operator's role). */
export const deploymentShelf: KeyShelf = {
  list: (q) =>
    q.query<KeyStateRow>(sql`
      select key_id, algorithm, public_jwk, created_at, active_at, retires_at, retired_at, compromised_at,
        active_at <= now() as active, (retired_at is not null or coalesce(retires_at <= now(), false)) as retired
      from deployment_keys order by retired, active_at desc, key_id desc limit 100`),

  async insert(tx, key, leadSeconds) {
    await tx.query(sql`
      insert into deployment_keys (key_id, algorithm, public_jwk, private_jwk, active_at)
      values (${key.keyId}, ${key.algorithm}, ${key.publicJwk}::jsonb, ${key.sealedPrivateJwk},
        now() + ${leadSeconds}::float8 * interval '1 second')`);
  },

  async activate(tx, keyId) {
    await tx.query(
      sql`update deployment_keys set active_at = now() where key_id = ${keyId} and active_at > now()`,
    );
  },

  async supersede(tx, keyId, by, afterSeconds) {
    await tx.query(sql`
      update deployment_keys old set retires_at = by.active_at + ${afterSeconds}::float8 * interval '1 second'
      from deployment_keys by where old.key_id = ${keyId} and by.key_id = ${by}`);
  },

  async withdraw(tx, keyId) {
    await tx.query(sql`
      update deployment_keys set compromised_at = now(), retired_at = coalesce(retired_at, now()), private_jwk = null
      where key_id = ${keyId}`);
  },

  async remove(tx, keyId) {
    await tx.query(sql`delete from deployment_keys where key_id = ${keyId} and active_at > now()`);
  },
};

/** One process at a time past this point, until the transaction ends. */
export async function lockDeploymentKeys(tx: Queryable): Promise<void> {
  await tx.query(sql`select pg_advisory_xact_lock(7355609)`);
}

/** Whether this process does the chores, until the transaction ends. */
export async function lockKeyChores(tx: Queryable): Promise<boolean> {
  const [row] = await tx.query<{ locked: boolean }>(sql`select pg_try_advisory_xact_lock(7355610) as locked`);
  return row!.locked;
}

/** The key that signs, if it has been signing for so many days and no next one is published. */
export async function dueDeploymentKey(q: Queryable, rotationDays: number): Promise<string | undefined> {
  const [row] = await q.query<{ key_id: string }>(sql`
    select key_id from (
      select key_id, active_at from deployment_keys where retired_at is null and retires_at is null
      order by active_at desc limit 1) newest
    where active_at <= now() - ${rotationDays}::float8 * interval '1 day'`);
  return row?.key_id;
}

/** Private halves of keys whose successor has been signing for ten minutes. How many. */
export async function eraseDeploymentPrivateHalves(
  q: Queryable,
  publishedAfterSigning: number,
): Promise<number> {
  const rows = await q.query(sql`
    update deployment_keys set private_jwk = null
    where private_jwk is not null and retires_at - (${publishedAfterSigning}::float8 - 600) * interval '1 second' <= now()
    returning 1`);
  return rows.length;
}

export async function markDeploymentKeysRetired(q: Queryable): Promise<void> {
  await q.query(
    sql`update deployment_keys set retired_at = retires_at where retired_at is null and retires_at <= now()`,
  );
}

export async function forgetOldDeploymentKeys(q: Queryable, afterDays: number): Promise<void> {
  await q.query(
    sql`delete from deployment_keys where retired_at < now() - ${afterDays}::float8 * interval '1 day'`,
  );
}
