import type { Context, Middleware } from 'koa';
import type { Inbox } from '../../delivery/inbox.ts';
import type { HttpDeps } from '../../http/http-deps.ts';
import { answering, routesNamed } from '../../http/route-table.ts';
import { type DevConfig, isDevelopmentRequest } from './guard.ts';
import { inboxJson, inboxMessage, inboxPage } from './inbox.ts';
import { type Playground, playgroundAnswers } from './playground/routes.ts';

export type DevDeps = { config: DevConfig; views: HttpDeps['views']; inbox: Inbox; playground: Playground };

type Answer = (ctx: Context) => Promise<void> | void;

/** GET /dev/inbox[.json], /dev/inbox/{id}; /dev/playground and what is below it. Everything else, and everyone else, falls through to the ordinary 404. */
export function devRoutes(deps: DevDeps): Middleware {
  const answers: Record<string, Answer> = {
    'GET /dev/inbox': (ctx) => inboxPage(ctx, deps),
    'GET /dev/inbox.json': (ctx) => inboxJson(ctx, deps),
    ...playgroundAnswers(deps),
  };
  const routes = routesNamed([...Object.keys(answers), 'GET /dev/inbox/:id']);
  return answering(async (ctx, next) => {
    if (!ctx.path.startsWith('/dev/') || !isDevelopmentRequest(ctx, deps.config)) return next();
    const name = `${ctx.method === 'HEAD' ? 'GET' : ctx.method} ${ctx.path}`;
    const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
    if (answer) {
      ctx.state.route = ctx.path;
      return answer(ctx);
    }
    const [, id] = /^GET \/dev\/inbox\/(msg_[0-9a-f]+)$/.exec(name) ?? [];
    if (id === undefined) return next();
    ctx.state.route = '/dev/inbox/:id';
    return inboxMessage(ctx, deps, id);
  }, routes);
}
