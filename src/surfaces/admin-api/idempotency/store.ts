import type { Queryable } from '../../../storage/database.ts';
import { sql } from '../../../storage/sql.ts';

export type KeptAnswer = { request: string; status: number | null; response: string | null };

/**
 * Takes the key for a request. Of many at once one gets it; the others get what is kept there. A key whose
 * answer never came (the process died) is free again after a minute, longer than any request runs.
 */
export async function reserveKey(
  q: Queryable,
  at: { appId: string; key: string; request: string; ttlSeconds: number },
): Promise<boolean> {
  const rows = await q.query(sql`
    insert into idempotency_keys as kept (app_id, key, request, expires_at)
    values (${at.appId}, ${at.key}, ${at.request}, now() + ${at.ttlSeconds}::float8 * interval '1 second')
    on conflict (app_id, key) do update set request = excluded.request, status = null, response = null, created_at = now(), expires_at = excluded.expires_at
    where kept.expires_at <= now() or (kept.status is null and kept.created_at < now() - interval '1 minute')
    returning 1`);
  return rows.length === 1;
}

export async function keptAnswer(q: Queryable, appId: string, key: string): Promise<KeptAnswer | undefined> {
  const [row] = await q.query<KeptAnswer>(
    sql`select request, status, response from idempotency_keys where app_id = ${appId} and key = ${key}`,
  );
  return row;
}

/** `response` is a sealed envelope. */
export async function keepAnswer(
  q: Queryable,
  at: { appId: string; key: string; request: string; status: number; response: string },
): Promise<void> {
  await q.query(sql`
    update idempotency_keys set status = ${at.status}, response = ${at.response}
    where app_id = ${at.appId} and key = ${at.key} and request = ${at.request} and status is null`);
}

/** Nothing was done, so the same key may try again. */
export async function releaseKey(
  q: Queryable,
  at: { appId: string; key: string; request: string },
): Promise<void> {
  await q.query(sql`
    delete from idempotency_keys where app_id = ${at.appId} and key = ${at.key} and request = ${at.request} and status is null`);
}
