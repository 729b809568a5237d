import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { type AppSnapshot, isSelfAsserted, needsConsent } from '../apps/app.ts';

type Asked = { prompts: Set<string> };

/**
 * The library drops `offline_access` unless `prompt=consent` came with it (OIDC Core §11). A first-party client is
 * trusted by the operator instead of by a page, so its request counts as if the prompt had been there, however it
 * came (query, pushed, signed); its policy then answers the prompt without a page. A client that only says who it is
 * has its person asked in any case (policy.ts), so there, too, the prompt says nothing new; programs that find their way
 * by metadata alone do not know to send it.
 */
export function allowOfflineAccess(provider: Provider, snapshot: AppSnapshot): void {
  const { prototype } = (provider as unknown as { OIDCContext: { prototype: Asked } }).OIDCContext;
  const stock = Object.getOwnPropertyDescriptor(prototype, 'prompts')!.get!;
  Object.defineProperty(prototype, 'prompts', {
    configurable: true,
    get(this: KoaContextWithOIDC['oidc']): Set<string> {
      const prompts = stock.call(this) as Set<string>;
      const client = snapshot.clients.get(this.client?.clientId ?? '');
      if (!client || prompts.has('none')) return prompts;
      if (needsConsent(snapshot.app, client) && !isSelfAsserted(client)) return prompts;
      const scope = this.params?.['scope'];
      if (typeof scope === 'string' && scope.split(' ').includes('offline_access')) prompts.add('consent');
      return prompts;
    },
  });
}
