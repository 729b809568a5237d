import type { Context } from 'koa';

/** Answers a POST with a page to go to, so that reloading it sends nothing again. */
export function goTo(ctx: Context, path: string): void {
  ctx.redirect(path);
  ctx.status = 303;
}
