import type { Client as OidcClient, KoaContextWithOIDC } from 'oidc-provider';
import { isFapi } from './features/fapi.ts';
import type { AppSnapshot } from '../apps/app.ts';
import { apiOfAudience } from '../apps/apis/api.ts';

/** What a client has to do and may do: the design's answers where the library asks. */
export function clientHooks(snapshot: AppSnapshot) {
  const clientOf = (client: { clientId: string } | undefined) => snapshot.clients.get(client?.clientId ?? '');
  return {
    pkceRequired(_ctx: KoaContextWithOIDC, client: OidcClient): boolean {
      return (
        isFapi(snapshot) ||
        client.clientAuthMethod === 'none' ||
        (clientOf(client)?.settings.pkce_required ?? true)
      );
    },

    clientBasedCORS(_ctx: KoaContextWithOIDC, origin: string, client: OidcClient): boolean {
      return clientOf(client)?.allowedOrigins.includes(origin) ?? false;
    },

    mayIntrospect: (
      _ctx: KoaContextWithOIDC,
      client: OidcClient,
      token: { clientId?: string | undefined; aud?: string | string[] | undefined },
    ): Promise<boolean> =>
      Promise.resolve(client.clientAuthMethod !== 'none' && mayIntrospect(snapshot, client.clientId, token)),

    mayRevoke(
      _ctx: KoaContextWithOIDC,
      client: OidcClient,
      token: { clientId?: string | undefined },
    ): Promise<boolean> {
      return Promise.resolve(token.clientId === client.clientId);
    },
  };
}

/**
 * A client that has shown who it is introspects its own tokens, an API those made for it, and the app's first client, the
 * audience of all, all of them (RFC 7662 §2.1).
 */
export function mayIntrospect(
  { app, apis }: Pick<AppSnapshot, 'app' | 'apis'>,
  clientId: string,
  token: { clientId?: string | undefined; aud?: string | string[] | undefined },
): boolean {
  if (token.clientId === clientId || clientId === app.appId) return true;
  return apiOfAudience(apis, token.aud)?.serverClients.includes(clientId) ?? false;
}
