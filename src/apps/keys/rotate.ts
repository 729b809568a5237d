import { type AppChange, type AppsDeps, changeApp } from '../change-app.ts';
import { appSettingsSchema } from '../app.ts';
import { appNotFound } from '../errors.ts';
import { appById, everyApp, writeSettings } from '../operator-store.ts';
import type { Settings } from '../settings.ts';
import type { AppRow } from '../store.ts';
import { generateSigningKey, type GeneratedKey } from './generate.ts';
import { appShelf } from './operator-store.ts';
import type { KeyStateRow } from './shelf.ts';
import { isSigningAlgorithm, type SigningAlgorithm } from './signer.ts';
import { planFor, turn, type Turned, type Wish } from './turn.ts';

export type Rotation = Omit<Wish, 'algorithm'> & {
  /** Also becomes the app's setting. */
  algorithm?: SigningAlgorithm | undefined;
};

/**
 * Publishes the next key of an app, which signs once every verifier can know it; the one before stays published until
 * everything it signed has expired. A compromised key is taken out at once, with everything it signed. Answers the
 * key that signs next. Problems `apps.not_found`, `keys.not_found`.
 */
export async function rotateKeys(deps: AppsDeps, change: AppChange & Rotation): Promise<KeyStateRow> {
  const { appId, algorithm } = change;
  const shelf = appShelf(appId);
  const wishFor = (app: AppRow): Wish => ({ ...change, algorithm: algorithm ?? algorithmOf(app) });
  const newKey = await preparedKey(deps, appId, async () => {
    const q = everyApp(deps.operatorDb);
    const app = await appById(q, appId);
    if (!app) throw appNotFound();
    const wish = wishFor(app);
    return planFor(await shelf.list(q), wish).follow === 'new' ? wish.algorithm : undefined;
  });
  return changeApp(deps, change, async (tx, app) => {
    const wish = wishFor(app);
    const turned = await turn(tx, shelf, wish, {
      newKey: () => newKey(wish.algorithm),
      leadSeconds: deps.keys.leadSeconds,
    });
    const differs = algorithmOf(app) !== wish.algorithm;
    if (differs)
      await writeSettings(tx, appId, { ...(app.settings as Settings), signing_algorithm: wish.algorithm });
    return recorded(turned, { wish, changed: turned.changed || differs });
  });
}

/** The part of a change of settings that is about keys: call it before the transaction, and the answer inside of it. */
export async function algorithmChange(
  deps: AppsDeps,
  appId: string,
  settings: Settings | undefined,
): Promise<(tx: Parameters<typeof turn>[0]) => Promise<void>> {
  const algorithm = settings?.['signing_algorithm'];
  if (typeof algorithm !== 'string' || !isSigningAlgorithm(algorithm)) return () => Promise.resolve();
  const shelf = appShelf(appId);
  const isNewest = async (q: Parameters<typeof turn>[0]) => {
    const [newest] = await shelf.list(q);
    return newest?.algorithm === algorithm;
  };
  const newKey = await preparedKey(deps, appId, async () =>
    (await isNewest(everyApp(deps.operatorDb))) ? undefined : algorithm,
  );
  return async (tx) => {
    if (await isNewest(tx)) return;
    await turn(
      tx,
      shelf,
      { algorithm },
      { newKey: () => newKey(algorithm), leadSeconds: deps.keys.leadSeconds },
    );
  };
}

/** Makes the key before the transaction, where that can be foreseen: it takes a while, and the app's row is locked. */
async function preparedKey(
  deps: AppsDeps,
  appId: string,
  foresee: () => Promise<SigningAlgorithm | undefined>,
): Promise<(algorithm: SigningAlgorithm) => Promise<GeneratedKey>> {
  const generate = (algorithm: SigningAlgorithm) =>
    generateSigningKey(deps, { appId, table: 'signing_keys' }, algorithm);
  const foreseen = await foresee();
  const ready = foreseen && (await generate(foreseen));
  return async (algorithm) => (ready?.algorithm === algorithm ? ready : generate(algorithm));
}

const algorithmOf = (app: AppRow): SigningAlgorithm =>
  appSettingsSchema.parse(app.settings).signing_algorithm;

function recorded(turned: Turned, { wish, changed }: { wish: Wish; changed: boolean }) {
  const { key } = turned;
  return {
    result: key,
    event: changed ? 'key.rotated' : undefined,
    details: {
      kid: key.key_id,
      algorithm: key.algorithm,
      active_at: key.active_at.toISOString(),
      compromised: wish.compromised ?? null,
    },
  };
}
