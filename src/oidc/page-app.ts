import type { App, AppSnapshot } from '../apps/app.ts';
import { presentLogo } from '../apps/logo/present.ts';
import type { PageApp } from '../http/views.ts';
import { homeOrigin } from './served.ts';

/** What a page shows of an app. */
export const pageAppOf = (app: App): PageApp => ({
  app_id: app.appId,
  name: app.name,
  accent: app.settings.accent_color,
  logo: app.logo && presentLogo(app.appId, app.logo),
});

/**
 * What a mail shows of it. The logo by its address where that is https, which is the same for everybody and says
 * nothing about who reads; mail programs fetch nothing else, and there the letter stands in.
 */
export function mailAppOf(baseUrl: string, snapshot: Pick<AppSnapshot, 'app' | 'domain'>): PageApp {
  const { logo, ...app } = pageAppOf(snapshot.app);
  const origin = homeOrigin(baseUrl, snapshot);
  if (!logo || !origin.startsWith('https:')) return app;
  return { ...app, logo: { ...logo, url: origin + logo.url } };
}
