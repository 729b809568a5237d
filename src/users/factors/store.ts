import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** Notes when somebody was first asked to set up a factor, and returns until when they may put it off, if they still may. */
export async function graceUntil(
  tx: Queryable,
  at: { appId: string; userId: string; days: number },
): Promise<Date | undefined> {
  const [row] = await tx.query<{ until: Date; is_open: boolean }>(sql`
    insert into second_factor_requests as r (app_id, user_id) values (${at.appId}, ${at.userId})
    on conflict (app_id, user_id) do update set first_asked_at = r.first_asked_at
    returning first_asked_at + ${at.days} * interval '1 day' as until, first_asked_at + ${at.days} * interval '1 day' > now() as is_open`);
  return row?.is_open ? row.until : undefined;
}

/** Epoch seconds by the database's clock, at this moment and not when the transaction began. */
export async function momentInStore(q: Queryable): Promise<number> {
  const [row] = await q.query<{ now: string }>(sql`select extract(epoch from clock_timestamp()) as now`);
  return Number(row!.now);
}
