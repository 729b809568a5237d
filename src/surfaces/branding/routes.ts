import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { servedLogo } from '../../apps/logo/store.ts';
import type { AppRegistry } from '../../apps/registry.ts';
import { notFound } from '../../http/refusals.ts';
import { scoped, type Database } from '../../storage/database.ts';

export type BrandingDeps = { db: Database; registry: Pick<AppRegistry, 'snapshot'> };

// GET /auth/{app_id}/logo/{digest}.png → the app's logo, for everybody and for ever
export function brandingRoutes(deps: BrandingDeps): Middleware {
  const router = new Router({ sensitive: true });
  router.get('/auth/:app_id/logo/:file', (ctx) => sendLogo(deps, ctx as unknown as Context));
  return router.routes() as unknown as Middleware;
}

/** Problem not_found for an app that is unknown or disabled, and for a picture that it shows no more. */
async function sendLogo({ db, registry }: BrandingDeps, ctx: Context): Promise<void> {
  const { app_id: appId = '', file = '' } = ctx.params as Record<string, string>;
  const logo = (await registry.snapshot(appId))?.app.logo;
  const png =
    logo && file === `${logo.digest}.png`
      ? await servedLogo(scoped(db, appId), appId, logo.digest)
      : undefined;
  if (!png) throw notFound();
  ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
  ctx.set('X-Content-Type-Options', 'nosniff');
  // Mails are read at other origins; it is a picture that everybody may see.
  ctx.set('Cross-Origin-Resource-Policy', 'cross-origin');
  // Opened by itself it is a picture and nothing else.
  ctx.set('Content-Security-Policy', "default-src 'none'; sandbox");
  ctx.type = 'image/png';
  ctx.body = png;
}
