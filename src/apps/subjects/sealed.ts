import type { SealedColumn } from '../../storage/reseal.ts';
import { sql } from '../../storage/sql.ts';

/** What the pairwise subjects of each app are derived from (operator's role). */
export const sealedSubjectSalts: SealedColumn = {
  table: 'subject_salts',
  column: 'salt',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id, app_id as row, salt as envelope from subject_salts
      where split_part(salt, '.', 2) <> ${fingerprint} and app_id > ${after?.app_id ?? ''}
      order by 1 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update subject_salts set salt = ${envelope} where app_id = ${row.app_id} and salt = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from subject_salts where split_part(salt, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
