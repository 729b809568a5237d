import type { SealedColumn } from '../../../storage/reseal.ts';
import { sql } from '../../../storage/sql.ts';

/** Private halves of the shared issuer's keys (operator's role). */
export const sealedDeploymentKeys: SealedColumn = {
  table: 'deployment_keys',
  column: 'private_jwk',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select '' as app_id, key_id as row, private_jwk as envelope from deployment_keys
      where private_jwk is not null and split_part(private_jwk, '.', 2) <> ${fingerprint}
        and key_id > ${after?.row ?? ''}
      order by 1, 2 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update deployment_keys set private_jwk = ${envelope}
      where key_id = ${row.row} and private_jwk = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from deployment_keys where private_jwk is not null and split_part(private_jwk, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
