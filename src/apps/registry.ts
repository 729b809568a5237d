import { FrequencyCache } from '../kernel/frequency-cache.ts';
import { Problem } from '../kernel/problem.ts';
import { type RootKeys, unseal } from '../kernel/secret.ts';
import { scoped, type Database } from '../storage/database.ts';
import { StoreClock } from '../storage/store-clock.ts';
import {
  type App,
  type AppSnapshot,
  appSettingsSchema,
  authMethodOf,
  type Client,
  clientSettingsSchema,
  type ClientType,
} from './app.ts';
import { servedApis, toApis } from './apis/store.ts';
import { toAppDomain } from './domains/domain.ts';
import { servedDomains } from './domains/store.ts';
import { localVault } from './keys/local-vault.ts';
import { openKey } from './keys/open-key.ts';
import { appLogoSchema } from './logo/logo.ts';
import type { KeyVault } from './keys/signer.ts';
import { type KeyRing, ringAt, type SigningKey } from './keys/signing-key.ts';
import { type Cached, createRollCall } from './roll-call.ts';
import { servedHook, toHook } from './token-hook/store.ts';
import { openSalt } from './subjects/salt.ts';
import { servedSalt } from './subjects/store.ts';
import { appOfClientId, soundDeploymentKeys } from './operator-lookups.ts';
import { type AppRow, type ClientRow, servedApp, servedClients, servedRevision, soundKeys } from './store.ts';

export type AppRegistry = {
  /** The app as it is now (at most two seconds old). undefined: unknown, disabled or deleted. */
  snapshot(appId: string): Promise<AppSnapshot | undefined>;
  /**
   * The same, and while the store is away the app as it was last seen. Only for the published documents (metadata and
   * public keys), which verifiers need most when something is down, and which grant nothing; whatever decides about
   * access asks `snapshot` and fails closed, since an app, client or key may have been switched off meanwhile.
   */
  lastKnown(appId: string): Promise<AppSnapshot | undefined>;
  /** The app a client id belongs to; app_ids are client ids of their own app. Cached: an id never moves. */
  appOfClient(clientId: string): Promise<string | undefined>;
  /** Keys of the shared issuer, in the parts they have now. */
  deploymentKeys(): Promise<KeyRing>;
  /** The same, and as last seen while the store is away: for publishing, see `lastKnown`. */
  lastKnownDeploymentKeys(): Promise<KeyRing>;
  /** An app's keys in the parts they have now, by the store's clock: every process turns to the next key at once. */
  ringOf(snapshot: AppSnapshot): KeyRing;
  /** What is known of the app is compared with the store when it is next asked for, however fresh it is. */
  recheck(appId: string): void;
  /** To be called after a change of the app on this process; others notice within two seconds. '': the deployment. */
  forget(appId: string): void;
};

export type RegistryDeps = {
  db: Database;
  operatorDb: Database;
  rootKeys: RootKeys;
  /** Where private halves live; ours, unless another is named. */
  vault?: KeyVault;
  capacity?: number;
};

const FRESH_MS = 2000;
const SHARED = { appId: '', table: 'deployment_keys' } as const;

const opening = ({ rootKeys, vault = localVault }: RegistryDeps) => ({ rootKeys, vault });

export function createAppRegistry(deps: RegistryDeps): AppRegistry {
  const snapshots = new FrequencyCache<Cached>(deps.capacity ?? 20_000);
  const loading = new Map<string, Promise<AppSnapshot | undefined>>();
  const clock = new StoreClock();
  const shared = sharedKeys(deps, clock);
  const rollCall = createRollCall({ operatorDb: deps.operatorDb, clock, snapshots, everyMs: FRESH_MS });
  const isFresh = (cached: Cached): boolean => Date.now() - cached.checkedAt < FRESH_MS;

  const load = async (appId: string): Promise<AppSnapshot | undefined> => {
    // One that somebody wants compared now is compared alone, below.
    if (snapshots.get(appId)?.checkedAt) await rollCall();
    const cached = snapshots.get(appId);
    if (cached && isFresh(cached)) return cached.snapshot;
    if (cached) {
      // One cheap question decides whether the app has to be read again.
      const askedAt = Date.now();
      const served = await servedRevision(scoped(deps.db, appId), appId);
      if (served) clock.saw(served.storeTime, askedAt);
      if (served?.revision === cached.snapshot.app.revision) {
        cached.checkedAt = askedAt;
        return cached.snapshot;
      }
      snapshots.delete(appId);
      if (served === undefined) return undefined;
    }
    const checkedAt = Date.now();
    const snapshot = await readSnapshot(deps, clock, appId);
    if (snapshot) snapshots.set(appId, { snapshot, checkedAt });
    return snapshot;
  };

  const snapshot = async (appId: string): Promise<AppSnapshot | undefined> => {
    if (!isAppId(appId)) return undefined;
    const cached = snapshots.get(appId);
    if (cached && isFresh(cached)) return cached.snapshot;
    let running = loading.get(appId);
    if (!running) {
      running = load(appId).finally(() => loading.delete(appId));
      loading.set(appId, running);
    }
    return running;
  };

  return {
    snapshot,
    lastKnown: (appId) => orElse(snapshot(appId), () => snapshots.get(appId)?.snapshot),
    appOfClient: clientRoutes(deps.operatorDb),
    deploymentKeys: async () => ringAt(await shared.read(), clock.now()),
    lastKnownDeploymentKeys: async () => ringAt(await orElse(shared.read(), shared.last), clock.now()),
    ringOf: (of) => ringAt(of.keys, clock.now()),
    recheck(appId) {
      const cached = snapshots.get(appId);
      if (cached) cached.checkedAt = 0;
    },
    forget(appId) {
      if (appId === '') shared.forget();
      else snapshots.delete(appId);
    },
  };
}

function clientRoutes(operatorDb: Database): AppRegistry['appOfClient'] {
  const routes = new FrequencyCache<string>(50_000);
  return async (clientId) => {
    const known = routes.get(clientId);
    if (known) return known;
    if (clientId.length > 64) return undefined;
    const appId = await appOfClientId(operatorDb, clientId);
    if (appId) routes.set(clientId, appId);
    return appId;
  };
}

function sharedKeys(deps: RegistryDeps, clock: StoreClock) {
  let seen: { keys: readonly SigningKey[]; name: string; checkedAt: number } | undefined;
  return {
    async read(): Promise<readonly SigningKey[]> {
      if (!seen || Date.now() - seen.checkedAt >= FRESH_MS) {
        const askedAt = Date.now();
        const rows = await soundDeploymentKeys(deps.db);
        if (rows[0]) clock.saw(rows[0].store_time, askedAt);
        const name = JSON.stringify(rows.map(({ store_time: _, ...row }) => row));
        const keys = seen?.name === name ? seen.keys : rows.map((row) => openKey(opening(deps), SHARED, row));
        seen = { keys, name, checkedAt: askedAt };
      }
      return seen.keys;
    },
    last: () => seen?.keys,
    forget() {
      if (seen) seen.checkedAt = 0;
    },
  };
}

/** What was last seen, where the store can not be asked now. Any other failure, and nothing seen yet, stays a failure. */
async function orElse<T>(asked: Promise<T>, last: () => T | undefined): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    const known = error instanceof Problem && error.kind === 'unavailable' ? last() : undefined;
    if (known === undefined) throw error;
    return known;
  }
}

export const isAppId = (value: string): boolean =>
  value.length >= 3 && value.length <= 48 && /^[a-z][a-z0-9]*([-_][a-z0-9]+)*$/.test(value);

async function readSnapshot(
  deps: RegistryDeps,
  clock: StoreClock,
  appId: string,
): Promise<AppSnapshot | undefined> {
  const askedAt = Date.now();
  const [app, clients, keys, apis, domains, [hook], [salt]] = await deps.db.transaction(appId, (tx) =>
    Promise.all([
      servedApp(tx, appId),
      servedClients(tx, appId),
      soundKeys(tx, appId),
      servedApis(tx, appId),
      servedDomains(tx, appId),
      servedHook(tx, appId),
      servedSalt(tx, appId),
    ]),
  );
  if (keys[0]) clock.saw(keys[0].store_time, askedAt);
  if (!app) return undefined;
  return {
    app: toApp(app),
    clients: new Map(clients.map((row) => [row.client_id, withHmacSecret(deps.rootKeys, row)])),
    keys: keys.map((row) => openKey(opening(deps), { appId, table: 'signing_keys' }, row)),
    apis: toApis(apis),
    domain: toAppDomain(domains),
    subjectSalt: salt && openSalt(deps.rootKeys, appId, salt.salt),
    tokenHook: hook && toHook(deps.rootKeys, hook),
  };
}

export function toApp(row: AppRow): App {
  return {
    appId: row.app_id,
    name: row.name,
    settings: appSettingsSchema.parse(row.settings),
    logo: row.logo == null ? undefined : appLogoSchema.parse(row.logo),
    revision: Number(row.revision),
    builtIn: row.built_in,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    disabledAt: row.disabled_at ?? undefined,
  };
}

export function toClient(row: ClientRow): Client {
  return {
    appId: row.app_id,
    clientId: row.client_id,
    name: row.name,
    type: row.type as ClientType,
    redirectUris: row.redirect_uris,
    postLogoutRedirectUris: row.post_logout_redirect_uris,
    allowedOrigins: row.allowed_origins,
    scopes: row.scopes,
    settings: clientSettingsSchema.parse(row.settings),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    disabledAt: row.disabled_at ?? undefined,
    ...(row.registered ? { registered: row.registered as 'dynamic' | 'document' } : {}),
    secrets: row.secrets.map((secret) => ({
      secretId: secret.secret_id,
      digest: secret.digest,
      createdAt: new Date(secret.created_at),
      expiresAt: secret.expires_at === null ? undefined : new Date(secret.expires_at),
    })),
  };
}

/** The client, and opened the one secret that it signs with, if it does. */
function withHmacSecret(rootKeys: RootKeys, row: ClientRow): Client {
  const client = toClient(row);
  const sealed = row.secrets.find((secret) => secret.sealed);
  if (!sealed?.sealed || authMethodOf(client) !== 'client_secret_jwt') return client;
  const hmacSecret = unseal(rootKeys, sealedSecretAt(row.app_id, sealed.secret_id), sealed.sealed);
  return { ...client, hmacSecret };
}

/** Where a sealed client secret lives. */
export const sealedSecretAt = (appId: string, secretId: string) => ({
  appId,
  table: 'client_secrets',
  row: secretId,
  column: 'sealed',
});
