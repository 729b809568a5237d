import { newSecret, type RootKeys, seal, unseal } from '../../kernel/secret.ts';
import type { Queryable } from '../../storage/database.ts';
import { insertSalt, isSaltMissing } from './operator-store.ts';

const at = (appId: string) => ({ appId, table: 'subject_salts', row: appId, column: 'salt' });

/**
 * With the app's first pairwise client it gets 256 random bits, and keeps them as long as it lives: not the root keys,
 * which come and go, decide what its users are called.
 */
export async function ensureSalt(tx: Queryable, keys: RootKeys, appId: string): Promise<void> {
  if (await isSaltMissing(tx, appId)) await insertSalt(tx, appId, seal(keys, at(appId), newSecret()));
}

export const openSalt = (keys: RootKeys, appId: string, envelope: string): Buffer =>
  Buffer.from(unseal(keys, at(appId), envelope), 'base64url');
