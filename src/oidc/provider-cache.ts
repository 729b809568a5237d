import type { Provider } from 'oidc-provider';
import type { AppSnapshot } from '../apps/app.ts';
import { type KeyRing, nameOfRing } from '../apps/keys/signing-key.ts';
import type { AppRegistry } from '../apps/registry.ts';
import { FrequencyCache } from '../kernel/frequency-cache.ts';
import { type IssuerKind, issuerUrl } from './issuers.ts';
import { type Service, serviceAt } from './served.ts';
import { createProvider, type ProviderDeps } from './provider.ts';
import { createRemoteKeys } from './remote-keys.ts';

/** `answer`: the provider's whole stack of middleware, put together once. */
type Built = { provider: Provider; answer: ReturnType<Provider['callback']> };
/** `ring`: the keys of the issuer, in their parts. `build`: the provider, made now unless it is kept. */
export type Found = { snapshot: AppSnapshot; service: Service; ring: KeyRing; build: () => Built };

export type ProviderSource = {
  /** The provider of an app at an issuer, as of the app's present revision. undefined: no such app there. */
  find(appId: string, issuer: IssuerKind): Promise<Found | undefined>;
  /** The same for metadata and public keys, which are also answered, as last known, while the store is away. */
  findForPublishing(appId: string, issuer: IssuerKind): Promise<Found | undefined>;
};

export type ProviderCacheDeps = Omit<
  ProviderDeps,
  'snapshot' | 'appId' | 'issuer' | 'issuerUrl' | 'keys' | 'rememberedKeys' | 'remoteKeys'
> & {
  registry: AppRegistry;
  /** At most so many providers, 66 kB each. */
  capacity?: number;
};

type Cached = { built: Built; revision: number; ring: KeyRing };

/** Whether the keys have the same parts in both. */
const isSameRing = (a: KeyRing, b: KeyRing): boolean => a === b || nameOfRing(a) === nameOfRing(b);

/** Built on first use, rebuilt when the app changed or its keys took other parts; a request in flight keeps the one it began with. */
export function createProviderCache(deps: ProviderCacheDeps): ProviderSource {
  const cache = new FrequencyCache<Cached>(deps.capacity ?? 1500);
  const remoteKeys = createRemoteKeys(deps.outgoing);
  const build = (
    name: string,
    at: Pick<ProviderDeps, 'snapshot' | 'appId' | 'issuer'>,
    ring: KeyRing,
  ): Built => {
    const { snapshot, appId, issuer } = at;
    const { revision } = snapshot.app;
    const cached = cache.get(name);
    if (cached && cached.revision === revision && isSameRing(cached.ring, ring)) {
      cached.ring = ring;
      return cached.built;
    }
    const provider = createProvider({
      ...deps,
      ...at,
      remoteKeys,
      keys: ring.published,
      rememberedKeys: ring.remembered,
      issuerUrl: issuerUrl(deps.baseUrl, appId, issuer),
    });
    if (cached) cache.delete(name);
    const built = { provider, answer: provider.callback() };
    cache.offer(name, { built, revision, ring });
    return built;
  };
  const { registry } = deps;
  const finder =
    (
      snapshotOf: AppRegistry['snapshot'],
      sharedKeys: AppRegistry['deploymentKeys'],
    ): ProviderSource['find'] =>
    async (appId, issuer) => {
      const snapshot = await snapshotOf(appId);
      const service = snapshot ? serviceAt(deps.baseUrl, snapshot, issuer) : 'nothing';
      if (!snapshot || service === 'nothing') return undefined;
      const ring = issuer === 'shared' ? await sharedKeys() : registry.ringOf(snapshot);
      return {
        snapshot,
        service,
        ring,
        build: () => build(`${issuer}:${appId}`, { snapshot, appId, issuer }, ring),
      };
    };
  return {
    find: finder(registry.snapshot, registry.deploymentKeys),
    findForPublishing: finder(registry.lastKnown, registry.lastKnownDeploymentKeys),
  };
}
