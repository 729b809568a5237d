import type { Provider } from 'oidc-provider';
import type { AppSnapshot } from '../apps/app.ts';
import type { AppRegistry } from '../apps/registry.ts';
import { FrequencyCache } from '../kernel/frequency-cache.ts';
import { type IssuerKind, issuerUrl } from './issuers.ts';
import { createProvider, type ProviderDeps } from './provider.ts';

export type ProviderSource = {
  /** The provider of an app at an issuer, as of the app's present revision. undefined: no such app there. */
  find(appId: string, issuer: IssuerKind): Promise<{ provider: Provider; snapshot: AppSnapshot } | undefined>;
};

export type ProviderCacheDeps = Omit<ProviderDeps, 'snapshot' | 'appId' | 'issuer' | 'issuerUrl' | 'keys'> & {
  registry: AppRegistry;
  /** At most so many providers, 66 kB each. */
  capacity?: number;
};

type Cached = { provider: Provider; revision: number; keyId: string | undefined };

/** Built on first use, rebuilt when the app changed; a request in flight keeps the one it began with. */
export function createProviderCache(deps: ProviderCacheDeps): ProviderSource {
  const cache = new FrequencyCache<Cached>(deps.capacity ?? 1500);
  return {
    async find(appId, issuer) {
      const snapshot = await deps.registry.snapshot(appId);
      if (!snapshot || (issuer === 'shared' && !snapshot.app.settings.shared_issuer)) return undefined;
      const keys = issuer === 'own' ? snapshot.keys : await deps.registry.deploymentKeys();
      const name = `${issuer}:${appId}`;
      const cached = cache.get(name);
      if (cached && cached.revision === snapshot.app.revision && cached.keyId === keys[0]?.keyId) return { provider: cached.provider, snapshot };
      const provider = createProvider({ ...deps, snapshot, appId, issuer, issuerUrl: issuerUrl(deps.baseUrl, appId, issuer), keys });
      if (cached) cache.delete(name);
      cache.set(name, { provider, revision: snapshot.app.revision, keyId: keys[0]?.keyId });
      return { provider, snapshot };
    },
  };
}
