import type { SealedColumn } from '../../../storage/reseal.ts';
import { sql } from '../../../storage/sql.ts';

/** Answers kept for requests that are sent again (operator's role). */
export const sealedAnswers: SealedColumn = {
  table: 'idempotency_keys',
  column: 'response',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id as app_id, key as row, response as envelope from idempotency_keys
      where response is not null and split_part(response, '.', 2) <> ${fingerprint}
        and (app_id, key) > (${after?.app_id ?? ''}, ${after?.row ?? ''})
      order by 1, 2 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update idempotency_keys set response = ${envelope}
      where app_id = ${row.app_id} and key = ${row.row} and response = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from idempotency_keys where response is not null and split_part(response, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
