import type { Context } from 'koa';
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
