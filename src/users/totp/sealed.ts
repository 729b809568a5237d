import type { SealedColumn } from '../../storage/reseal.ts';
import { sql } from '../../storage/sql.ts';

/** Seeds of authenticator apps (operator's role). */
export const sealedTotpSeeds: SealedColumn = {
  table: 'totp_authenticators',
  column: 'seed',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id, user_id as row, seed as envelope from totp_authenticators
      where split_part(seed, '.', 2) <> ${fingerprint} and (app_id, user_id) > (${after?.app_id ?? ''}, ${after?.row ?? ''})
      order by 1, 2 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update totp_authenticators set seed = ${envelope}
      where app_id = ${row.app_id} and user_id = ${row.row} and seed = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from totp_authenticators where split_part(seed, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
