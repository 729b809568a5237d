import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** Epoch seconds by the store's clock. */
export async function storeClock(q: Queryable): Promise<number> {
  const [row] = await q.query<{ now: string }>(sql`select extract(epoch from now()) as now`);
  return Number(row!.now);
}
