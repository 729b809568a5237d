import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { ApiScope } from './api.ts';
import type { ApiRow } from './store.ts';

export type ApiValues = {
  appId: string;
  apiId: string;
  name: string;
  scopes: ApiScope[];
  accessTokenTtl: number | null;
  serverClients: string[];
};

export async function apiById(q: Queryable, appId: string, apiId: string): Promise<ApiRow | undefined> {
  const [row] = await q.query<ApiRow>(sql`
    select app_id, api_id, identifier, name, scopes, access_token_ttl, server_clients, created_at, updated_at
    from apis where app_id = ${appId} and api_id = ${apiId}`);
  return row;
}

/** Oldest first; `after` is an api_id. */
export function listApis(
  q: Queryable,
  appId: string,
  page: { limit: number; after?: string | undefined },
): Promise<ApiRow[]> {
  return q.query<ApiRow>(sql`
    select app_id, api_id, identifier, name, scopes, access_token_ttl, server_clients, created_at, updated_at
    from apis where app_id = ${appId} and api_id collate "C" > ${page.after ?? ''} order by api_id collate "C" limit ${page.limit}`);
}

/** Of many that want an identifier one gets it, in whichever app. */
export async function claimIdentifier(
  tx: Queryable,
  at: { key: string; appId: string; apiId: string },
): Promise<boolean> {
  const rows = await tx.query(
    sql`insert into api_routes (identifier, owner_app, api_id) values (${at.key}, ${at.appId}, ${at.apiId}) on conflict do nothing returning 1`,
  );
  return rows.length === 1;
}

export async function insertApi(tx: Queryable, api: ApiValues & { identifier: string }): Promise<void> {
  await tx.query(
    sql`insert into apis (app_id, api_id, identifier, name, scopes, access_token_ttl, server_clients)
        values (${api.appId}, ${api.apiId}, ${api.identifier}, ${api.name}, ${JSON.stringify(api.scopes)}::jsonb, ${api.accessTokenTtl}, ${api.serverClients})`,
  );
}

export async function writeApi(tx: Queryable, api: ApiValues): Promise<void> {
  await tx.query(
    sql`update apis set name = ${api.name}, scopes = ${JSON.stringify(api.scopes)}::jsonb, access_token_ttl = ${api.accessTokenTtl},
          server_clients = ${api.serverClients}, updated_at = now()
        where app_id = ${api.appId} and api_id = ${api.apiId}`,
  );
}

/** The identifier is free again. */
export async function deleteApi(tx: Queryable, appId: string, apiId: string): Promise<void> {
  await tx.query(sql`delete from apis where app_id = ${appId} and api_id = ${apiId}`);
  await tx.query(sql`delete from api_routes where owner_app = ${appId} and api_id = ${apiId}`);
}

/** Scopes that some client of the app has as plain ones. */
export async function plainScopesAmong(tx: Queryable, appId: string, names: string[]): Promise<string[]> {
  const rows = await tx.query<{ scope: string }>(
    sql`select distinct scope from clients, unnest(scopes) as scope where app_id = ${appId} and scope = any(${names}) order by scope`,
  );
  return rows.map((row) => row.scope);
}

/** Scopes among these that belong to an API of the app. */
export async function apiScopesAmong(tx: Queryable, appId: string, names: string[]): Promise<string[]> {
  const rows = await tx.query<{ name: string }>(
    sql`select distinct scope->>'name' as name from apis, jsonb_array_elements(scopes) as scope
        where app_id = ${appId} and scope->>'name' = any(${names}) order by name`,
  );
  return rows.map((row) => row.name);
}

/** Clients of the app among these that exist. */
export async function clientsAmong(
  tx: Queryable,
  appId: string,
  ids: string[],
): Promise<{ client_id: string; type: string; settings: unknown }[]> {
  return tx.query(
    sql`select client_id, type, settings from clients where app_id = ${appId} and client_id = any(${ids})`,
  );
}
