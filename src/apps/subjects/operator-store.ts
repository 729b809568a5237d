import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** Only where a client needs one, and only the first: whoever comes second changes nothing. */
export async function insertSaltIfNeeded(tx: Queryable, appId: string, sealed: string): Promise<void> {
  await tx.query(sql`
    insert into subject_salts (app_id, salt) select ${appId}, ${sealed}
    where exists (select from clients where app_id = ${appId} and settings->>'subject_type' = 'pairwise')
    on conflict do nothing`);
}
