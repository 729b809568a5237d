import type { Database } from './database.ts';
import type { EphemeralStore } from './ephemeral.ts';
import { sql } from './sql.ts';

/** EphemeralStore on the database, for deployments without Redis. Expired rows are invisible at once and swept later. */
export function ephemeralOnPostgres(db: Database): EphemeralStore {
  return {
    async put(appId, key, value, { ttlSeconds, ifAbsent = false }) {
      const rows = await db.query(
        appId,
        ifAbsent
          ? // An expired row does not count as present: it is overwritten, as Redis would have dropped it.
            sql`insert into ephemeral (app_id, key, value, expires_at)
                values (${appId}, ${key}, ${value}, now() + ${ttlSeconds} * interval '1 second')
                on conflict (app_id, key) do update set value = excluded.value, expires_at = excluded.expires_at
                where ephemeral.expires_at <= now() returning key`
          : sql`insert into ephemeral (app_id, key, value, expires_at)
                values (${appId}, ${key}, ${value}, now() + ${ttlSeconds} * interval '1 second')
                on conflict (app_id, key) do update set value = excluded.value, expires_at = excluded.expires_at
                returning key`,
      );
      return rows.length === 1;
    },
    async read(appId, key) {
      return (await this.get(appId, key))?.value;
    },
    async get(appId, key) {
      const [row] = await db.query<{ value: string; remaining: string }>(
        appId,
        sql`select value, extract(epoch from expires_at - now()) as remaining
            from ephemeral where app_id = ${appId} and key = ${key} and expires_at > now()`,
      );
      return row && { value: row.value, remainingSeconds: Number(row.remaining) };
    },
    async take(appId, key) {
      const [row] = await db.query<{ value: string; live: boolean }>(
        appId,
        sql`delete from ephemeral where app_id = ${appId} and key = ${key} returning value, expires_at > now() as live`,
      );
      return row?.live ? row.value : undefined;
    },
    async increment(appId, key, ttlSeconds) {
      const [row] = await db.query<{ value: string }>(
        appId,
        sql`insert into ephemeral (app_id, key, value, expires_at)
            values (${appId}, ${key}, '1', now() + ${ttlSeconds} * interval '1 second')
            on conflict (app_id, key) do update set
              value = case when ephemeral.expires_at > now() then (ephemeral.value::bigint + 1)::text else '1' end,
              expires_at = case when ephemeral.expires_at > now() then ephemeral.expires_at else excluded.expires_at end
            returning value`,
      );
      return Number(row!.value);
    },
    async delete(appId, key) {
      const rows = await db.query(
        appId,
        sql`delete from ephemeral where app_id = ${appId} and key = ${key} and expires_at > now() returning key`,
      );
      return rows.length === 1;
    },
  };
}
