import type { TokenHookRow } from './store.ts';

/** Never a secret. */
export function presentHook(row: TokenHookRow) {
  const previousLives = row.previous_secret !== null && row.previous_expires_at !== null;
  return {
    url: row.url,
    timeout_ms: row.timeout_ms,
    grant_types: row.grant_types,
    old_secret_expires_at: previousLives ? row.previous_expires_at!.toISOString() : null,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
