import type { Context, Next } from 'koa';
import { type PageDeps, showPage } from '../http/page.ts';
import { Problem } from '../kernel/problem.ts';
import type { Interactions } from '../oidc/interaction.ts';
import { interactionPath, paramOf } from './step.ts';

type Deps = PageDeps & { interactions?: Pick<Interactions, 'isHere'> };

/** Problem `sign_in.link_dead` has a page of its own; every other one is rendered where all are. */
export async function showDeadLinks(deps: Deps, ctx: Context, next: Next): Promise<void> {
  try {
    await next();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'sign_in.link_dead') throw error;
    ctx.status = error.status;
    const at = { appId: paramOf(ctx, 'app_id'), uid: paramOf(ctx, 'uid') };
    // Where the sign-in began another link is asked for; anywhere else it is begun anew.
    const isHere = at.uid !== '' && deps.interactions?.isHere(ctx, at.appId, at.uid) === true;
    showPage(ctx, deps, 'sign-in/link-dead', { again_url: isHere ? interactionPath(at) : null });
  }
}
