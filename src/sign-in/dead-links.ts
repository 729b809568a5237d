import type { Context, Next } from 'koa';
import { type PageDeps, showPage } from '../http/page.ts';
import { Problem } from '../kernel/problem.ts';

/** Problem `sign_in.link_dead` has a page of its own; every other one is rendered where all are. */
export async function showDeadLinks(deps: PageDeps, ctx: Context, next: Next): Promise<void> {
  try {
    await next();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'sign_in.link_dead') throw error;
    ctx.status = error.status;
    showPage(ctx, deps, 'sign-in/link-dead', { start_url: ctx.state.startUrl ?? null });
  }
}
