import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { DomainRow } from './domain.ts';

/** Where the app is served, or was until lately; what is only claimed is left out. */
export function servedDomains(q: Queryable, appId: string): Promise<DomainRow[]> {
  return q.query<DomainRow>(
    sql`select app_id, domain, state, challenge, old_issuers, base_left, created_at, verified_at
        from domains where app_id = ${appId} and state <> 'pending' order by domain`,
  );
}
