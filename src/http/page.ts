import type { Context } from 'koa';
import { csrfFor } from './csrf.ts';
import type { HttpDeps } from './http-deps.ts';
import { pickLocale, type Locale } from './messages.ts';
import { stateOf } from './request-state.ts';
import { nonceOf, setContentSecurityPolicy } from './security-headers.ts';

export type PageDeps = Pick<HttpDeps, 'views'>;

/**
 * Answers with a page of views/. Language, nonce and app come from the request's state, which any
 * middleware or route may have narrowed before (`app`, `uiLocales`, `formActions`). Status is the caller's, else 200.
 */
export function showPage(ctx: Context, deps: PageDeps, name: string, model: object = {}): void {
  const state = stateOf(ctx);
  const locale = localeOf(ctx);
  const csrf =
    state.csrfScope === undefined || 'csrf' in model ? {} : { csrf: csrfFor(ctx, state.csrfScope) };
  const html = deps.views.renderPage(
    name,
    { ...csrf, ...(state.startUrl === undefined ? {} : { start_url: state.startUrl }), ...model },
    { locale, nonce: nonceOf(ctx), app: state.app, timeZone: state.timeZone },
  );
  ctx.type = 'text/html; charset=utf-8';
  ctx.body = html;
  ctx.set('Cache-Control', 'no-store');
  ctx.set('Content-Language', locale);
  ctx.vary('Accept-Language');
  setContentSecurityPolicy(ctx);
}

/** The language of this answer: `ui_locales` of the request before the browser's own. */
export function localeOf(ctx: Context): Locale {
  return pickLocale(stateOf(ctx).uiLocales, ctx.get('accept-language') || undefined);
}
