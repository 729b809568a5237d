import type { Queryable } from '../storage/database.ts';
import { sql } from '../storage/sql.ts';

export type AppRow = {
  app_id: string;
  name: string;
  settings: unknown;
  logo: unknown;
  revision: string;
  built_in: boolean;
  created_at: Date;
  updated_at: Date;
  disabled_at: Date | null;
};

export type ClientRow = {
  app_id: string;
  client_id: string;
  name: string;
  type: string;
  redirect_uris: string[];
  post_logout_redirect_uris: string[];
  allowed_origins: string[];
  scopes: string[];
  settings: unknown;
  created_at: Date;
  updated_at: Date;
  disabled_at: Date | null;
  /** Not read for operators' lists. */
  registered?: string | null;
  secrets: {
    secret_id: string;
    digest: string;
    created_at: string;
    expires_at: string | null;
    sealed?: string | null;
  }[];
};

export type KeyRow = {
  key_id: string;
  algorithm: string;
  public_jwk: Record<string, unknown>;
  /** null once it was erased. */
  private_jwk: string | null;
  active_at: Date;
  retires_at: Date | null;
  retired_at: Date | null;
};

/** The app, unless it is unknown, disabled or deleted. */
export async function servedApp(q: Queryable, appId: string): Promise<AppRow | undefined> {
  const [row] = await q.query<AppRow>(
    sql`select app_id, name, settings, logo, revision, built_in, created_at, updated_at, disabled_at
        from apps where app_id = ${appId} and disabled_at is null and deleted_at is null`,
  );
  return row;
}

/** With the store's time in milliseconds. */
export async function servedRevision(
  q: Queryable,
  appId: string,
): Promise<{ revision: number; storeTime: number } | undefined> {
  const [row] = await q.query<{ revision: string; store_time: number }>(
    sql`select revision, extract(epoch from clock_timestamp())::float8 * 1000 as store_time
        from apps where app_id = ${appId} and disabled_at is null and deleted_at is null`,
  );
  return row && { revision: Number(row.revision), storeTime: row.store_time };
}

/** Enabled clients with the digests of their live secrets, newest first. */
export function servedClients(q: Queryable, appId: string): Promise<ClientRow[]> {
  return q.query<ClientRow>(
    sql`select c.app_id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris, c.allowed_origins, c.scopes, c.settings,
          c.created_at, c.updated_at, c.disabled_at,
        coalesce((
          select jsonb_agg(jsonb_build_object('secret_id', s.secret_id, 'digest', s.digest, 'created_at', s.created_at, 'expires_at', s.expires_at, 'sealed', s.sealed) order by s.created_at desc)
          from client_secrets s
          where s.app_id = c.app_id and s.client_id = c.client_id and s.revoked_at is null and (s.expires_at is null or s.expires_at > now())
        ), '[]') as secrets,
        (select r.kind from registered_clients r where r.app_id = c.app_id and r.client_id = c.client_id) as registered
        from clients c where c.app_id = ${appId} and c.disabled_at is null`,
  );
}

/** Every key but those that were compromised, with the store's time in milliseconds. */
export function soundKeys(q: Queryable, appId: string): Promise<(KeyRow & { store_time: number })[]> {
  return q.query(
    sql`select key_id, algorithm, public_jwk, private_jwk, active_at, retires_at, retired_at,
          extract(epoch from clock_timestamp())::float8 * 1000 as store_time
        from signing_keys
        where app_id = ${appId} and compromised_at is null`,
  );
}
