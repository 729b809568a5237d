import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import { type Api, type Apis, type ApiScope, identifierKey } from './api.ts';

export type ApiRow = {
  app_id: string;
  api_id: string;
  identifier: string;
  name: string;
  scopes: ApiScope[];
  access_token_ttl: number | null;
  server_clients: string[];
  created_at: Date;
  updated_at: Date;
};

/** Every API of an app, for its snapshot. */
export function servedApis(q: Queryable, appId: string): Promise<ApiRow[]> {
  return q.query<ApiRow>(sql`
    select app_id, api_id, identifier, name, scopes, access_token_ttl, server_clients, created_at, updated_at
    from apis where app_id = ${appId}`);
}

export function toApi(row: ApiRow): Api {
  return {
    appId: row.app_id,
    apiId: row.api_id,
    identifier: row.identifier,
    name: row.name,
    scopes: row.scopes,
    accessTokenTtl: row.access_token_ttl ?? undefined,
    serverClients: row.server_clients,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export const toApis = (rows: ApiRow[]): Apis =>
  new Map(rows.map((row) => [identifierKey(row.identifier), toApi(row)]));
