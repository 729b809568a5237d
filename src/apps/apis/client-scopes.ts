import type { Transaction } from '../../storage/database.ts';
import { scopeOfApi } from './errors.ts';
import { apiScopesAmong } from './operator-store.ts';

/** A client's plain scopes are none of an API: those are given by `api_scopes` and come with the API's audience. */
export async function requireOwnScopes(tx: Transaction, appId: string, scopes: string[]): Promise<void> {
  const taken = scopes.length ? await apiScopesAmong(tx, appId, scopes) : [];
  if (taken.length) throw scopeOfApi(taken);
}
