import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { ClientRow } from '../store.ts';

/** One client with the digests of its live secrets. */
export async function clientById(
  q: Queryable,
  appId: string,
  clientId: string,
): Promise<ClientRow | undefined> {
  const [row] = await q.query<ClientRow>(sql`
    select c.app_id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris, c.allowed_origins, c.scopes, c.settings,
      c.created_at, c.updated_at, c.disabled_at, coalesce((
      select jsonb_agg(jsonb_build_object('secret_id', s.secret_id, 'digest', s.digest, 'created_at', s.created_at, 'expires_at', s.expires_at) order by s.created_at desc, s.secret_id desc)
      from client_secrets s
      where s.app_id = c.app_id and s.client_id = c.client_id and s.revoked_at is null and (s.expires_at is null or s.expires_at > now())
    ), '[]') as secrets
    from clients c where c.app_id = ${appId} and c.client_id = ${clientId}`);
  return row;
}

/** By client id, which begins with the app's own and goes on by age; `after` is a client id. Without secrets. */
export function listClients(
  q: Queryable,
  appId: string,
  page: { limit: number; after?: string | undefined },
): Promise<ClientRow[]> {
  return q.query<ClientRow>(sql`
    select c.app_id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris, c.allowed_origins, c.scopes, c.settings,
      c.created_at, c.updated_at, c.disabled_at, '[]'::jsonb as secrets
    from clients c
    where c.app_id = ${appId} and c.client_id collate "C" > ${page.after ?? ''} order by c.client_id collate "C" limit ${page.limit}`);
}

/** Those that are in use. Without secrets. */
export function enabledClients(q: Queryable, appId: string): Promise<ClientRow[]> {
  return q.query<ClientRow>(sql`
    select c.app_id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris, c.allowed_origins, c.scopes, c.settings,
      c.created_at, c.updated_at, c.disabled_at, '[]'::jsonb as secrets
    from clients c
    where c.app_id = ${appId} and c.disabled_at is null order by c.client_id collate "C"`);
}

/** The first clients of several apps. Without secrets. */
export function firstClients(q: Queryable, appIds: string[]): Promise<ClientRow[]> {
  return q.query<ClientRow>(sql`
    select c.app_id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris, c.allowed_origins, c.scopes, c.settings,
      c.created_at, c.updated_at, c.disabled_at, '[]'::jsonb as secrets
    from clients c where c.app_id = any(${appIds}) and c.client_id = c.app_id`);
}

export type ClientValues = {
  appId: string;
  clientId: string;
  name: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  allowedOrigins: string[];
  scopes: string[];
  settings: object;
};

/** The client and the way to it. Client ids are unique across the deployment. */
export async function insertClient(tx: Queryable, client: ClientValues & { type: string }): Promise<void> {
  await tx.query(
    sql`insert into client_routes (client_id, owner_app) values (${client.clientId}, ${client.appId})`,
  );
  await insertUnroutedClient(tx, client);
}

/** A client that is known at its app's own issuer alone: its id is an address, which other apps may know too. */
export async function insertUnroutedClient(
  tx: Queryable,
  client: ClientValues & { type: string },
): Promise<void> {
  await tx.query(sql`
    insert into clients (app_id, client_id, name, type, redirect_uris, post_logout_redirect_uris, allowed_origins, scopes, settings)
    values (${client.appId}, ${client.clientId}, ${client.name}, ${client.type}, ${client.redirectUris}, ${client.postLogoutRedirectUris},
      ${client.allowedOrigins}, ${client.scopes}, ${client.settings}::jsonb)`);
}

export async function writeClient(
  tx: Queryable,
  client: ClientValues & { disabled: boolean },
): Promise<void> {
  await tx.query(sql`
    update clients set name = ${client.name}, redirect_uris = ${client.redirectUris}, post_logout_redirect_uris = ${client.postLogoutRedirectUris},
      allowed_origins = ${client.allowedOrigins}, scopes = ${client.scopes}, settings = ${client.settings}::jsonb, updated_at = now(),
      disabled_at = case when ${client.disabled}::boolean then coalesce(disabled_at, now()) end
    where app_id = ${client.appId} and client_id = ${client.clientId}`);
}

/** Its secrets and grants go with it. */
export async function deleteClient(tx: Queryable, appId: string, clientId: string): Promise<void> {
  await tx.query(sql`delete from clients where app_id = ${appId} and client_id = ${clientId}`);
  await tx.query(sql`delete from client_routes where client_id = ${clientId} and owner_app = ${appId}`);
}
