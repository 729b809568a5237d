import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** The app's salt, sealed, for its snapshot; at most one. */
export function servedSalt(q: Queryable, appId: string): Promise<{ salt: string }[]> {
  return q.query<{ salt: string }>(sql`select salt from subject_salts where app_id = ${appId}`);
}
