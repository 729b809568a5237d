import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { EndedSession } from './store.ts';

/**
 * Ends some of the sessions whose idle or absolute limit has passed, in any app. Of two processes at once each gets
 * others, and none a session that was used or ended meanwhile.
 */
export function endSessionsPastLimit(
  tx: Queryable,
  most: number,
): Promise<(EndedSession & { app_id: string })[]> {
  return tx.query(
    sql`with due as (
          select app_id, uid from sessions where ended_at is null and expires_at <= now()
          order by expires_at limit ${most} for update skip locked
        )
        update sessions s set ended_at = now() from due
        where s.app_id = due.app_id and s.uid = due.uid
        returning s.app_id, s.uid, s.session_id, s.digest, s.user_id`,
  );
}
