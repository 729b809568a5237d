import type { RootKeys } from '../../kernel/secret.ts';
import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { TokenHook } from './hook.ts';
import { openHookSecret } from './secret.ts';

export type TokenHookRow = {
  app_id: string;
  url: string;
  timeout_ms: number;
  grant_types: string[] | null;
  secret: string;
  previous_secret: string | null;
  previous_expires_at: Date | null;
  created_at: Date;
  updated_at: Date;
};

/** The app's hook, for its snapshot; at most one. */
export function servedHook(q: Queryable, appId: string): Promise<TokenHookRow[]> {
  return q.query<TokenHookRow>(sql`
    select app_id, url, timeout_ms, grant_types, secret, previous_secret, previous_expires_at, created_at, updated_at
    from token_hooks where app_id = ${appId}`);
}

export function toHook(keys: RootKeys, row: TokenHookRow): TokenHook {
  const secret = openHookSecret(keys, row.app_id, 'secret', row.secret);
  const previous =
    row.previous_secret === null
      ? undefined
      : openHookSecret(keys, row.app_id, 'previous_secret', row.previous_secret);
  return {
    url: row.url,
    timeoutMs: row.timeout_ms,
    grantTypes: row.grant_types ?? undefined,
    secrets: [
      { value: secret, expiresAt: undefined },
      ...(previous === undefined
        ? []
        : [{ value: previous, expiresAt: row.previous_expires_at ?? undefined }]),
    ],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
