import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

type At = { appId: string; clientId: string };

export type RegistrationRow = {
  kind: 'dynamic' | 'document';
  digest: string | null;
  is_good: boolean | null;
};

export async function registrationOf(q: Queryable, at: At): Promise<RegistrationRow | undefined> {
  const [row] = await q.query<RegistrationRow>(sql`
    select kind, digest, good_until > now() as is_good from registered_clients
    where app_id = ${at.appId} and client_id = ${at.clientId}`);
  return row;
}

/** A new registration, or a document seen again. */
export async function saveRegistration(
  tx: Queryable,
  at: At & { kind: 'dynamic' | 'document'; digest?: string; goodForSeconds?: number },
): Promise<void> {
  await tx.query(sql`
    insert into registered_clients (app_id, client_id, kind, digest, good_until)
    values (${at.appId}, ${at.clientId}, ${at.kind}, ${at.digest ?? null}, now() + ${at.goodForSeconds ?? null}::float8 * interval '1 second')
    on conflict (app_id, client_id) do update set good_until = excluded.good_until, seen_at = now()`);
}

export async function countRegistrations(q: Queryable, appId: string): Promise<number> {
  const [row] = await q.query<{ count: string }>(
    sql`select count(*) from registered_clients where app_id = ${appId}`,
  );
  return Number(row!.count);
}

/** The document that nobody has allowed anything, seen longest ago: it can be read again when it is needed. */
export async function leastNeededDocument(q: Queryable, appId: string): Promise<string | undefined> {
  const [row] = await q.query<{ client_id: string }>(sql`
    select client_id from registered_clients r where app_id = ${appId} and kind = 'document'
      and not exists (select from grants g where g.app_id = r.app_id and g.client_id = r.client_id)
    order by seen_at limit 1`);
  return row?.client_id;
}

/** Clients that nobody has allowed anything for longer than their app waits; `fallback` seconds where it does not say. */
export function unusedRegistrations(
  q: Queryable,
  fallback: number,
): Promise<{ app_id: string; client_id: string }[]> {
  return q.query(sql`
    select r.app_id, r.client_id from registered_clients r join apps a on a.app_id = r.app_id join clients c on c.app_id = r.app_id and c.client_id = r.client_id
    where r.seen_at < now() - coalesce((a.settings->'registered_clients'->>'unused_ttl')::float8, ${fallback}::float8) * interval '1 second'
      and a.deleted_at is null and c.type <> 'service'
      and not exists (select from grants g where g.app_id = r.app_id and g.client_id = r.client_id)
    order by r.seen_at limit 200`);
}

export type TokenRow = {
  token_id: string;
  name: string;
  uses_left: number | null;
  created_at: Date;
  expires_at: Date | null;
};

export async function insertToken(
  tx: Queryable,
  token: {
    appId: string;
    tokenId: string;
    name: string;
    digest: string;
    uses: number | undefined;
    expiresInSeconds: number | undefined;
  },
): Promise<TokenRow> {
  const [row] = await tx.query<TokenRow>(sql`
    insert into registration_tokens (app_id, token_id, name, digest, uses_left, expires_at)
    values (${token.appId}, ${token.tokenId}, ${token.name}, ${token.digest}, ${token.uses ?? null}, now() + ${token.expiresInSeconds ?? null}::float8 * interval '1 second')
    returning token_id, name, uses_left, created_at, expires_at`);
  return row!;
}

/** Live tokens, newest first. */
export function liveTokens(q: Queryable, appId: string): Promise<TokenRow[]> {
  return q.query<TokenRow>(sql`
    select token_id, name, uses_left, created_at, expires_at from registration_tokens
    where app_id = ${appId} and (expires_at is null or expires_at > now()) and (uses_left is null or uses_left > 0)
    order by created_at desc, token_id desc limit 100`);
}

export async function deleteToken(tx: Queryable, appId: string, tokenId: string): Promise<boolean> {
  const rows = await tx.query(
    sql`delete from registration_tokens where app_id = ${appId} and token_id = ${tokenId} returning 1`,
  );
  return rows.length === 1;
}

/** Takes one use; of many at once no more get one than are left. */
export async function useToken(tx: Queryable, appId: string, digest: string): Promise<string | undefined> {
  const [row] = await tx.query<{ token_id: string }>(sql`
    update registration_tokens set uses_left = uses_left - 1
    where app_id = ${appId} and digest = ${digest} and (expires_at is null or expires_at > now()) and (uses_left is null or uses_left > 0)
    returning token_id`);
  return row?.token_id;
}

/** Whether it would be taken now; takes no use of it. */
export async function isTokenLive(q: Queryable, appId: string, digest: string): Promise<boolean> {
  const rows = await q.query(sql`
    select 1 from registration_tokens
    where app_id = ${appId} and digest = ${digest} and (expires_at is null or expires_at > now()) and (uses_left is null or uses_left > 0)`);
  return rows.length === 1;
}

/** Expired and used up ones, of all apps. */
export async function sweepTokens(q: Queryable): Promise<void> {
  await q.query(sql`delete from registration_tokens where expires_at < now() or uses_left <= 0`);
}
