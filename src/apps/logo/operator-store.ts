import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

export async function writeLogo(
  tx: Queryable,
  logo: { appId: string; digest: string; png: Buffer },
): Promise<void> {
  await tx.query(sql`
    insert into app_logos (app_id, digest, png) values (${logo.appId}, ${logo.digest}, ${logo.png})
    on conflict (app_id) do update set digest = excluded.digest, png = excluded.png, created_at = now()`);
}

/** Whether there was one. */
export async function removeLogo(tx: Queryable, appId: string): Promise<boolean> {
  const rows = await tx.query(sql`delete from app_logos where app_id = ${appId} returning 1`);
  return rows.length > 0;
}
