import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { keyNotFound } from './errors.ts';
import { generateSigningKey } from './generate.ts';
import { insertKey, type PublishedKeyRow, retireKey } from './operator-store.ts';

/**
 * A new key signs from now on; older ones stay published, so that what they signed is still accepted. Only a
 * compromised key is taken out at once, and with it everything it signed.
 */
export async function rotateKeys(
  deps: AppsDeps,
  change: AppChange & { compromised?: string | undefined },
): Promise<PublishedKeyRow> {
  const { appId, compromised } = change;
  // Before the transaction: it takes a while, and the app's row would be locked.
  const key = await generateSigningKey(deps.rootKeys, { appId, table: 'signing_keys' });
  return changeApp(deps, change, async (tx) => {
    if (compromised !== undefined && !(await retireKey(tx, appId, compromised))) throw keyNotFound();
    const row = await insertKey(tx, appId, key);
    return {
      result: row,
      event: 'key.rotated',
      details: { kid: key.keyId, compromised: compromised ?? null },
    };
  });
}
