import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { KeyShelf, KeyStateRow } from './shelf.ts';

/** The keys of an app (operator's role). */
export const appShelf = (appId: string): KeyShelf => ({
  list: (q) =>
    q.query<KeyStateRow>(sql`
      select key_id, algorithm, public_jwk, created_at, active_at, retires_at, retired_at, compromised_at,
        active_at <= now() as active, (retired_at is not null or coalesce(retires_at <= now(), false)) as retired
      from signing_keys where app_id = ${appId} order by retired, active_at desc, key_id desc limit 100`),

  async insert(tx, key, leadSeconds) {
    await tx.query(sql`
      insert into signing_keys (app_id, key_id, algorithm, public_jwk, private_jwk, active_at)
      values (${appId}, ${key.keyId}, ${key.algorithm}, ${key.publicJwk}::jsonb, ${key.sealedPrivateJwk},
        now() + ${leadSeconds}::float8 * interval '1 second')`);
  },

  async activate(tx, keyId) {
    await tx.query(sql`
      update signing_keys set active_at = now() where app_id = ${appId} and key_id = ${keyId} and active_at > now()`);
  },

  async supersede(tx, keyId, by, afterSeconds) {
    await tx.query(sql`
      update signing_keys old set retires_at = by.active_at + ${afterSeconds}::float8 * interval '1 second'
      from signing_keys by where old.app_id = ${appId} and by.app_id = ${appId} and old.key_id = ${keyId} and by.key_id = ${by}`);
  },

  async withdraw(tx, keyId) {
    await tx.query(sql`
      update signing_keys set compromised_at = now(), retired_at = coalesce(retired_at, now()), private_jwk = null
      where app_id = ${appId} and key_id = ${keyId}`);
  },

  async remove(tx, keyId) {
    await tx.query(
      sql`delete from signing_keys where app_id = ${appId} and key_id = ${keyId} and active_at > now()`,
    );
  },
});

/**
 * Enabled apps whose key is due: older than the app wants, or of another algorithm than it wants, and no next one
 * published yet. `defaults` hold where the app chose nothing.
 */
export async function appsWithDueKeys(
  q: Queryable,
  defaults: { rotationDays: number | null; algorithm: string },
  most: number,
): Promise<{ app_id: string; key_id: string }[]> {
  return q.query(sql`
    select a.app_id, k.key_id
    from apps a cross join lateral (
      select key_id, algorithm, active_at from signing_keys
      where app_id = a.app_id and retired_at is null and retires_at is null
      order by active_at desc limit 1) k
    where a.deleted_at is null and a.disabled_at is null and k.active_at <= now() and (
      k.algorithm <> coalesce(a.settings->>'signing_algorithm', ${defaults.algorithm})
      or k.active_at <= now() - interval '1 day' * case when a.settings ? 'key_rotation_days'
        then (a.settings->>'key_rotation_days')::float8 else ${defaults.rotationDays}::float8 end)
    order by k.active_at limit ${most}`);
}

/** Private halves of keys whose successor has been signing for ten minutes. How many. */
export async function erasePrivateHalves(q: Queryable, publishedAfterSigning: number): Promise<number> {
  const rows = await q.query(sql`
    update signing_keys set private_jwk = null
    where private_jwk is not null and retires_at - (${publishedAfterSigning}::float8 - 600) * interval '1 second' <= now()
    returning 1`);
  return rows.length;
}

export async function markRetired(q: Queryable): Promise<void> {
  await q.query(
    sql`update signing_keys set retired_at = retires_at where retired_at is null and retires_at <= now()`,
  );
}

/** Keys that no hint can name any more. */
export async function forgetOldKeys(q: Queryable, afterDays: number): Promise<void> {
  await q.query(
    sql`delete from signing_keys where retired_at < now() - ${afterDays}::float8 * interval '1 day'`,
  );
}
