import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { TokenHookRow } from './store.ts';

type Fields = { appId: string; url: string; timeoutMs: number; grantTypes: readonly string[] | null };

export async function hookOf(q: Queryable, appId: string): Promise<TokenHookRow | undefined> {
  const [row] = await q.query<TokenHookRow>(sql`
    select app_id, url, timeout_ms, grant_types, secret, previous_secret, previous_expires_at, created_at, updated_at
    from token_hooks where app_id = ${appId}`);
  return row;
}

/** undefined when there is one already. */
export async function insertHook(
  tx: Queryable,
  hook: Fields & { sealedSecret: string },
): Promise<TokenHookRow | undefined> {
  const [row] = await tx.query<TokenHookRow>(sql`
    insert into token_hooks (app_id, url, timeout_ms, grant_types, secret)
    values (${hook.appId}, ${hook.url}, ${hook.timeoutMs}, ${hook.grantTypes}::text[], ${hook.sealedSecret})
    on conflict do nothing
    returning app_id, url, timeout_ms, grant_types, secret, previous_secret, previous_expires_at, created_at, updated_at`);
  return row;
}

export async function writeHook(tx: Queryable, hook: Fields): Promise<TokenHookRow> {
  const [row] = await tx.query<TokenHookRow>(sql`
    update token_hooks set url = ${hook.url}, timeout_ms = ${hook.timeoutMs}, grant_types = ${hook.grantTypes}::text[], updated_at = now()
    where app_id = ${hook.appId}
    returning app_id, url, timeout_ms, grant_types, secret, previous_secret, previous_expires_at, created_at, updated_at`);
  return row!;
}

/** The one before the last is forgotten. */
export async function writeHookSecrets(
  tx: Queryable,
  hook: { appId: string; sealedSecret: string; sealedPrevious: string | null; previousForSeconds: number },
): Promise<TokenHookRow> {
  const [row] = await tx.query<TokenHookRow>(sql`
    update token_hooks set secret = ${hook.sealedSecret}, previous_secret = ${hook.sealedPrevious},
      previous_expires_at = now() + ${hook.previousForSeconds}::float8 * interval '1 second', updated_at = now()
    where app_id = ${hook.appId}
    returning app_id, url, timeout_ms, grant_types, secret, previous_secret, previous_expires_at, created_at, updated_at`);
  return row!;
}

/** False when there is none. */
export async function removeHook(tx: Queryable, appId: string): Promise<boolean> {
  return (await tx.query(sql`delete from token_hooks where app_id = ${appId} returning 1`)).length === 1;
}
