import type { App } from '../apps/app.ts';
import type { PageApp } from '../http/views.ts';

/** What a page shows of an app. */
export const pageAppOf = (app: App): PageApp => ({
  app_id: app.appId,
  name: app.name,
  accent: app.settings.accent_color,
});
