import type { Middleware } from 'koa';
import type { AppRegistry } from '../../apps/registry.ts';
import { stateOf } from '../../http/request-state.ts';
import { answering, routesNamed } from '../../http/route-table.ts';
import { rpIdOf } from './relying-party.ts';

const PATH = '/.well-known/webauthn';

/**
 * Which other origins may use the passkeys of an app's domain (WebAuthn L3 §5.11.1): public, and asked for by browsers.
 * There is none at BASE_URL: what one app would add there would hold for the passkeys of every app on that host.
 */
export function relatedOrigins(deps: {
  baseUrl: string;
  registry: Pick<AppRegistry, 'lastKnown'>;
}): Middleware {
  return answering(
    async (ctx, next) => {
      if (ctx.path !== PATH || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();
      stateOf(ctx).route = PATH;
      const { site } = stateOf(ctx);
      const snapshot = site?.appId === undefined ? undefined : await deps.registry.lastKnown(site.appId);
      const origins = snapshot?.app.settings.passkey_related_origins ?? [];
      if (!site || !snapshot || origins.length === 0) return next();
      if (rpIdOf(deps.baseUrl, snapshot) !== new URL(site.origin).hostname) return next();
      ctx.set('cache-control', 'public, max-age=300');
      ctx.type = 'json';
      ctx.body = { origins };
    },
    routesNamed([`GET ${PATH}`]),
  );
}
