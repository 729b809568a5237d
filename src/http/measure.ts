import type { Middleware } from 'koa';
import type { Metrics } from '../telemetry/metrics.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Times each request under its route's pattern, never its path, so that the number of series stays bounded. */
export function measureRequests(metrics: Metrics): Middleware {
  return (ctx, next) => {
    const begun = performance.now();
    metrics.load.underWay += 1;
    ctx.res.once('close', () => {
      metrics.load.underWay -= 1;
      const route: unknown = ctx.state.route ?? (ctx as { _matchedRoute?: unknown })._matchedRoute;
      metrics.requestDuration.observe(
        {
          http_route: typeof route === 'string' ? route : 'unmatched',
          http_request_method: METHODS.has(ctx.method) ? ctx.method : '_OTHER',
          http_response_status_code: ctx.res.statusCode,
        },
        (performance.now() - begun) / 1000,
      );
    });
    return next();
  };
}
