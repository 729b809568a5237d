import type { Context } from 'koa';
import type { AppSnapshot } from '../apps/app.ts';
import { csrfFor } from '../http/csrf.ts';
import { type MessageValues, t } from '../http/messages.ts';
import { localeOf, showPage } from '../http/page.ts';
import type { PageRequest } from './step.ts';

/** Shows a view with the token its forms need. */
export function show(request: PageRequest, view: string, model: Record<string, unknown>, status = 200): void {
  const { ctx, deps, csrfScope } = request;
  ctx.status = status;
  showPage(ctx, deps, view, { csrf: csrfFor(ctx, csrfScope), ...model });
}

/** A sentence of the catalogue in the language of this page. */
export function sentence(ctx: Context, key: string, values?: MessageValues): string {
  return t(localeOf(ctx), key, values);
}

/** Answers a POST with a page to go to, so that reloading it sends nothing again. */
export function goTo(ctx: Context, path: string): void {
  ctx.redirect(path);
  ctx.status = 303;
}

/** Where a person can start again: the app's own site, as far as we know one. */
export function startUrlOf(snapshot: AppSnapshot): string | undefined {
  const [uri] = snapshot.clients.get(snapshot.app.appId)?.redirectUris ?? [];
  if (uri === undefined || !URL.canParse(uri)) return undefined;
  const { protocol, origin } = new URL(uri);
  return protocol === 'https:' || protocol === 'http:' ? `${origin}/` : undefined;
}
