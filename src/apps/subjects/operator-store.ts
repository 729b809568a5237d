import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** Whether the app has a pairwise client and no salt yet. */
export async function isSaltMissing(tx: Queryable, appId: string): Promise<boolean> {
  const rows = await tx.query(sql`
    select 1 from clients where app_id = ${appId} and settings->>'subject_type' = 'pairwise'
      and not exists (select from subject_salts where app_id = ${appId}) limit 1`);
  return rows.length === 1;
}

/** Only the first: whoever comes second changes nothing. */
export async function insertSalt(tx: Queryable, appId: string, sealed: string): Promise<void> {
  await tx.query(
    sql`insert into subject_salts (app_id, salt) values (${appId}, ${sealed}) on conflict do nothing`,
  );
}
