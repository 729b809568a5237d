import { mayBeFetched } from '../../http/outgoing.ts';
import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { hookExists, hookNotFound, hookUrlInvalid } from './errors.ts';
import type { NewTokenHookInput, TokenHookChangeInput } from './hook.ts';
import { hookOf, insertHook, removeHook, writeHook, writeHookSecrets } from './operator-store.ts';
import { newHookSecret, openHookSecret, sealHookSecret } from './secret.ts';
import type { TokenHookRow } from './store.ts';

export type HookDeps = AppsDeps & { outboundAllowedHosts: readonly string[] };

/** A secret as it is shown: once. */
export type IssuedHook = { row: TokenHookRow; secret: string };

/** From now on no token of the app is issued without being asked about. Problems `token_hook.exists`, `.url_invalid`. */
export function createHook(
  deps: HookDeps,
  change: AppChange & { input: NewTokenHookInput },
): Promise<IssuedHook> {
  const { appId, input } = change;
  requireUrl(deps, input.url);
  const secret = newHookSecret();
  return changeApp(deps, change, async (tx) => {
    const row = await insertHook(tx, {
      appId,
      url: input.url,
      timeoutMs: input.timeout_ms,
      grantTypes: input.grant_types,
      sealedSecret: sealHookSecret(deps.rootKeys, appId, 'secret', secret),
    });
    if (!row) throw hookExists();
    return { result: { row, secret }, event: 'token_hook.created', details: { host: new URL(row.url).host } };
  });
}

export function updateHook(
  deps: HookDeps,
  change: AppChange & { input: TokenHookChangeInput },
): Promise<TokenHookRow> {
  const { appId, input } = change;
  if (input.url !== undefined) requireUrl(deps, input.url);
  return changeApp(deps, change, async (tx) => {
    const known = await hookOf(tx, appId);
    if (!known) throw hookNotFound();
    const row = await writeHook(tx, {
      appId,
      url: input.url ?? known.url,
      timeoutMs: input.timeout_ms ?? known.timeout_ms,
      grantTypes: input.grant_types === undefined ? known.grant_types : input.grant_types,
    });
    return {
      result: row,
      event: 'token_hook.updated',
      details: { changed: Object.keys(input), host: new URL(row.url).host },
    };
  });
}

/** A new secret signs from now on, and beside it the old one for `oldExpireInSeconds`. */
export function rotateHookSecret(
  deps: HookDeps,
  change: AppChange & { oldExpireInSeconds: number },
): Promise<IssuedHook> {
  const { appId, oldExpireInSeconds } = change;
  const secret = newHookSecret();
  return changeApp(deps, change, async (tx) => {
    const known = await hookOf(tx, appId);
    if (!known) throw hookNotFound();
    const old = openHookSecret(deps.rootKeys, appId, 'secret', known.secret);
    const row = await writeHookSecrets(tx, {
      appId,
      sealedSecret: sealHookSecret(deps.rootKeys, appId, 'secret', secret),
      sealedPrevious:
        oldExpireInSeconds === 0 ? null : sealHookSecret(deps.rootKeys, appId, 'previous_secret', old),
      previousForSeconds: oldExpireInSeconds,
    });
    return {
      result: { row, secret },
      event: 'token_hook.secret_rotated',
      details: { old_expire_in: oldExpireInSeconds },
    };
  });
}

/** Tokens are issued unasked again. */
export function deleteHook(deps: HookDeps, change: AppChange): Promise<void> {
  return changeApp(deps, change, async (tx) => {
    if (!(await removeHook(tx, change.appId))) throw hookNotFound();
    return { result: undefined, event: 'token_hook.deleted' };
  });
}

function requireUrl(deps: HookDeps, url: string): void {
  if (!mayBeFetched(url, deps.outboundAllowedHosts)) throw hookUrlInvalid();
}
