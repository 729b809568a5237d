import type { Context } from 'koa';
import type { App } from '../apps/app.ts';
import { stateOf } from '../http/request-state.ts';
import { Problem } from '../kernel/problem.ts';
import type { ProtocolPages } from './pages.ts';

export type FailureDeps = {
  appId: string;
  snapshot: { app: App };
  pages: ProtocolPages;
  log: { error(fields: object, message: string): void; warn(fields: object, message: string): void };
};

/** Our context or the protocol library's. */
type AnyContext = Pick<Context, 'req' | 'status' | 'set' | 'remove' | 'accepts' | 'type' | 'body'>;

/** 503 when a store is away, else 500. What the answer had before is thrown away: its cookies and tokens were never committed. */
export function answerFailure(deps: FailureDeps, ctx: AnyContext, error: unknown): void {
  for (const name of ['set-cookie', 'location', 'www-authenticate']) ctx.remove(name);
  const away = error instanceof Problem && error.kind === 'unavailable';
  const fields = { err: error, app_id: deps.appId, request_id: stateOf(ctx).requestId };
  if (away) deps.log.warn(fields, 'a store is away');
  else deps.log.error(fields, 'request failed');
  if (away) ctx.set('retry-after', '2');
  ctx.status = away ? 503 : 500;
  if (ctx.accepts('json', 'html') === 'html') {
    if (away) deps.pages.unavailable(ctx, deps.snapshot.app);
    else deps.pages.problem(ctx, { app: deps.snapshot.app, error: 'server_error', status: 500 });
    return;
  }
  ctx.type = 'json';
  ctx.body = away
    ? {
        error: 'temporarily_unavailable',
        error_description: 'the service is temporarily unavailable, please try again',
      }
    : { error: 'server_error', error_description: 'something went wrong on our side' };
}
