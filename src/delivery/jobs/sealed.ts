import type { SealedColumn } from '../../storage/reseal.ts';
import { sql } from '../../storage/sql.ts';

/** What jobs are about (operator's role). */
export const sealedJobs: SealedColumn = {
  table: 'jobs',
  column: 'payload',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id as app_id, job_id as row, payload as envelope from jobs
      where payload is not null and split_part(payload, '.', 2) <> ${fingerprint}
        and (app_id, job_id) > (${after?.app_id ?? ''}, ${after?.row ?? ''})
      order by 1, 2 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update jobs set payload = ${envelope}
      where app_id = ${row.app_id} and job_id = ${row.row} and payload = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from jobs where payload is not null and split_part(payload, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
