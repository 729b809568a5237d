import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { DomainRow, OldIssuers } from './domain.ts';

/** The operator's role: domains of every app, and which app each one leads to. */

export function domainsOf(q: Queryable, appId: string): Promise<DomainRow[]> {
  return q.query<DomainRow>(sql`
    select app_id, domain, state, challenge, old_issuers, base_left, created_at, verified_at
    from domains where app_id = ${appId} order by domain`);
}

/** The domains that several apps are served at, by app. */
export async function activeDomains(
  q: Queryable,
  appIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await q.query<{ app_id: string; domain: string }>(
    sql`select app_id, domain from domains where app_id = any(${appIds}) and state = 'active'`,
  );
  return new Map(rows.map((row) => [row.app_id, row.domain]));
}

export async function appOfDomain(q: Queryable, domain: string): Promise<string | undefined> {
  const [row] = await q.query<{ owner_app: string }>(
    sql`select owner_app from domain_routes where domain = ${domain}`,
  );
  return row?.owner_app;
}

export async function insertClaim(
  tx: Queryable,
  claim: { appId: string; domain: string; challenge: string; oldIssuers: OldIssuers },
): Promise<void> {
  const { appId, domain, challenge, oldIssuers } = claim;
  await tx.query(sql`
    insert into domains (app_id, domain, state, challenge, old_issuers)
    values (${appId}, ${domain}, 'pending', ${challenge}, ${oldIssuers})`);
}

export async function deleteClaims(tx: Queryable, appId: string): Promise<void> {
  await tx.query(sql`delete from domains where app_id = ${appId} and state = 'pending'`);
}

/** False when the domain leads to another app. Of many at once one gets it. */
export async function insertRoute(tx: Queryable, domain: string, appId: string): Promise<boolean> {
  const rows = await tx.query(
    sql`insert into domain_routes (domain, owner_app) values (${domain}, ${appId}) on conflict do nothing returning 1`,
  );
  return rows.length === 1;
}

export async function leaveActive(tx: Queryable, appId: string): Promise<void> {
  await tx.query(sql`update domains set state = 'leaving' where app_id = ${appId} and state = 'active'`);
}

export async function activate(
  tx: Queryable,
  at: { appId: string; domain: string; baseLeft: boolean },
): Promise<void> {
  await tx.query(sql`
    update domains set state = 'active', verified_at = now(), base_left = ${at.baseLeft}
    where app_id = ${at.appId} and domain = ${at.domain} and state = 'pending'`);
}

export async function setOldIssuers(tx: Queryable, appId: string, oldIssuers: OldIssuers): Promise<void> {
  await tx.query(
    sql`update domains set old_issuers = ${oldIssuers} where app_id = ${appId} and state = 'active'`,
  );
}

/** The domains an app has left lead nowhere any more. */
export async function deleteLeaving(tx: Queryable, appId: string): Promise<void> {
  await tx.query(sql`
    delete from domain_routes using domains
    where domains.app_id = ${appId} and domains.state = 'leaving' and domain_routes.domain = domains.domain and domain_routes.owner_app = ${appId}`);
  await tx.query(sql`delete from domains where app_id = ${appId} and state = 'leaving'`);
}

export async function deleteDomains(tx: Queryable, appId: string): Promise<void> {
  await tx.query(sql`delete from domain_routes where owner_app = ${appId}`);
  await tx.query(sql`delete from domains where app_id = ${appId}`);
}
