import type { SealedColumn } from '../../storage/reseal.ts';
import { sql } from '../../storage/sql.ts';

/** What our calls of the apps' hooks are signed with (operator's role). */
export const sealedHookSecrets: SealedColumn = {
  table: 'token_hooks',
  column: 'secret',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id, app_id as row, secret as envelope from token_hooks
      where split_part(secret, '.', 2) <> ${fingerprint} and app_id > ${after?.app_id ?? ''}
      order by 1 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update token_hooks set secret = ${envelope} where app_id = ${row.app_id} and secret = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from token_hooks where split_part(secret, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};

/** The secret before it, as long as it signs too. */
export const sealedPreviousHookSecrets: SealedColumn = {
  table: 'token_hooks',
  column: 'previous_secret',
  stale: (q, { fingerprint, after, most }) =>
    q.query(sql`
      select app_id, app_id as row, previous_secret as envelope from token_hooks
      where previous_secret is not null and split_part(previous_secret, '.', 2) <> ${fingerprint}
        and app_id > ${after?.app_id ?? ''}
      order by 1 limit ${most}`),
  async replace(q, row, envelope) {
    await q.query(sql`
      update token_hooks set previous_secret = ${envelope}
      where app_id = ${row.app_id} and previous_secret = ${row.envelope}`);
  },
  async countStale(q, fingerprint) {
    const [row] = await q.query<{ count: number }>(sql`
      select count(*)::int as count from token_hooks
      where previous_secret is not null and split_part(previous_secret, '.', 2) <> ${fingerprint}`);
    return row!.count;
  },
};
