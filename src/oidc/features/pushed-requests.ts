import type { KoaContextWithOIDC } from 'oidc-provider';
import type { App, AppSettings, AppSnapshot, Client } from '../../apps/app.ts';
import { isFapi } from './fapi.ts';
import type { Feature } from './feature.ts';

/** Pushed authorization requests (RFC 9126). A client that has to push can, whatever the app says about the others. */
export function pushedRequests({ app, clients }: AppSnapshot): Feature<'pushedAuthorizationRequests'> {
  const { features } = app.settings;
  const ofEveryone = isRequired(app);
  const ofSomeone = [...clients.values()].some(
    (client) => client.settings.require_pushed_authorization_requests,
  );
  return {
    pushedAuthorizationRequests: {
      enabled: features.pushed_authorization_requests || ofEveryone || ofSomeone,
      requirePushedAuthorizationRequests: ofEveryone,
      // A pushed request brings no redirect URI that was not registered (RFC 9126 §2.4 would allow it).
      allowUnregisteredRedirectUris: false,
    },
  };
}

/** FAPI 2.0 §5.3.2.2 knows no other requests. */
const isRequired = (app: App): boolean =>
  app.settings.require_pushed_authorization_requests || isFapi({ app });

export function pushedRequestMetadata(app: App, client: Client): object {
  const required = isRequired(app) || client.settings.require_pushed_authorization_requests;
  return required ? { require_pushed_authorization_requests: true } : {};
}

/** The library says 60 seconds to everyone; the app may want less. */
export function tellLifetime(ctx: KoaContextWithOIDC, settings: AppSettings): void {
  if (ctx.oidc?.route !== 'pushed_authorization_request' || ctx.status !== 201) return;
  const answer = ctx.body as { expires_in: number };
  answer.expires_in = Math.max(1, Math.min(answer.expires_in, settings.par_ttl));
}
