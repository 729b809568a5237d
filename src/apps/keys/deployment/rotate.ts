import { audit } from '../../../events/audit.ts';
import type { Author } from '../../../events/author.ts';
import type { AppsDeps } from '../../change-app.ts';
import { everyApp } from '../../operator-store.ts';
import { generateSigningKey } from '../generate.ts';
import type { KeyStateRow } from '../shelf.ts';
import { isSigningAlgorithm, type SigningAlgorithm } from '../signer.ts';
import { planFor, turn, type Wish } from '../turn.ts';
import { deploymentShelf, lockDeploymentKeys } from './operator-store.ts';

/** Whose trail the deployment's own affairs are in. */
const CONSOLE = 'console';
/** What the registry calls the deployment. */
export const DEPLOYMENT = '';

/**
 * The same for the shared issuer: without `algorithm` the next key is of the present one's. Recorded in the trail of
 * `console`. Problem `keys.not_found`.
 */
export async function rotateDeploymentKeys(
  deps: AppsDeps,
  change: { by: Author; algorithm?: SigningAlgorithm | undefined } & Omit<Wish, 'algorithm'>,
): Promise<KeyStateRow> {
  const generate = (algorithm: SigningAlgorithm) =>
    generateSigningKey(deps, { appId: DEPLOYMENT, table: 'deployment_keys' }, algorithm);
  const before = await deploymentShelf.list(everyApp(deps.operatorDb));
  const foreseen = wishOf(before, change);
  const ready = planFor(before, foreseen).follow === 'new' ? await generate(foreseen.algorithm) : undefined;
  return deps.operatorDb.transaction(undefined, async (tx) => {
    await lockDeploymentKeys(tx);
    const wish = wishOf(await deploymentShelf.list(tx), change);
    const { key, changed } = await turn(tx, deploymentShelf, wish, {
      newKey: async () => (ready?.algorithm === wish.algorithm ? ready : generate(wish.algorithm)),
      leadSeconds: deps.keys.leadSeconds,
    });
    if (!changed) return key;
    await audit(tx, {
      ...change.by,
      appId: CONSOLE,
      type: 'deployment_key.rotated',
      result: 'success',
      details: {
        kid: key.key_id,
        algorithm: key.algorithm,
        active_at: key.active_at.toISOString(),
        compromised: wish.compromised ?? null,
      },
    });
    tx.afterCommit(() => deps.registry.forget(DEPLOYMENT));
    return key;
  });
}

function wishOf(
  rows: readonly KeyStateRow[],
  change: { algorithm?: SigningAlgorithm | undefined } & Omit<Wish, 'algorithm'>,
): Wish {
  const present = rows.find((row) => !row.retired)?.algorithm ?? 'RS256';
  return { ...change, algorithm: change.algorithm ?? (isSigningAlgorithm(present) ? present : 'RS256') };
}

/** The first key of a deployment. Doing it twice, or two at once, changes nothing. */
export async function ensureDeploymentKey(deps: AppsDeps): Promise<void> {
  const hasKey = async (q: Parameters<typeof turn>[0]) =>
    (await deploymentShelf.list(q)).some((row) => !row.retired);
  if (await hasKey(everyApp(deps.operatorDb))) return;
  const key = await generateSigningKey(deps, { appId: DEPLOYMENT, table: 'deployment_keys' }, 'RS256');
  await deps.operatorDb.transaction(undefined, async (tx) => {
    await lockDeploymentKeys(tx);
    if (!(await hasKey(tx))) await deploymentShelf.insert(tx, key, 0);
  });
}
