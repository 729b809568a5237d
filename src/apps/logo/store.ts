import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** The picture, if it still is the one of this name. */
export async function servedLogo(q: Queryable, appId: string, digest: string): Promise<Buffer | undefined> {
  const [row] = await q.query<{ png: Buffer }>(
    sql`select png from app_logos where app_id = ${appId} and digest = ${digest}`,
  );
  return row?.png;
}
