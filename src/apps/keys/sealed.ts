import type { SealedColumn } from '../../storage/reseal.ts';
import { sql } from '../../storage/sql.ts';

/** Private halves of the apps' keys (operator's role). */
export const sealedSigningKeys: SealedColumn = {
  table: 'signing_keys',
  column: 'private_jwk',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id as app_id, key_id as row, private_jwk as envelope from signing_keys
      where private_jwk is not null and split_part(private_jwk, '.', 2) <> ${fingerprint}
        and (app_id, key_id) > (${after?.app_id ?? ''}, ${after?.row ?? ''})
      order by 1, 2 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update signing_keys set private_jwk = ${envelope}
      where app_id = ${row.app_id} and key_id = ${row.row} and private_jwk = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from signing_keys where private_jwk is not null and split_part(private_jwk, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
