import type { SealedColumn } from '../../../storage/reseal.ts';
import { sql } from '../../../storage/sql.ts';

/** Secrets that clients sign with (operator's role). */
export const sealedClientSecrets: SealedColumn = {
  table: 'client_secrets',
  column: 'sealed',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id, secret_id as row, sealed as envelope from client_secrets
      where sealed is not null and split_part(sealed, '.', 2) <> ${fingerprint}
        and (app_id, secret_id) > (${after?.app_id ?? ''}, ${after?.row ?? ''})
      order by 1, 2 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update client_secrets set sealed = ${envelope}
      where app_id = ${row.app_id} and secret_id = ${row.row} and sealed = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from client_secrets where sealed is not null and split_part(sealed, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
