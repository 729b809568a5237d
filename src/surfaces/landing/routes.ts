import type { Middleware } from 'koa';
import type { Config } from '../../config/config.ts';
import type { HttpDeps } from '../../http/http-deps.ts';
import { showPage } from '../../http/page.ts';
import { answering, routesNamed } from '../../http/route-table.ts';

export type LandingDeps = {
  config: Pick<Config, 'baseUrl' | 'environment' | 'isLoopback'>;
  views: HttpDeps['views'];
  /** What is not there yet is null, and the page leaves it out. */
  consoleUrl: string | null;
  docsUrl: string | null;
};

/** GET /: what this is, and where to go from here. */
export function landingRoutes(deps: LandingDeps): Middleware {
  const development = deps.config.environment === 'development' && deps.config.isLoopback;
  const model = {
    base_url: deps.config.baseUrl,
    development,
    links: {
      playground_url: development ? '/dev/playground' : null,
      inbox_url: development ? '/dev/inbox' : null,
      docs_url: deps.docsUrl,
      discovery_url: '/.well-known/openid-configuration',
      console_url: deps.consoleUrl,
    },
  };
  return answering(
    async (ctx, next) => {
      if (ctx.path !== '/' || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();
      ctx.state.route = '/';
      showPage(ctx, deps, 'home/landing', model);
    },
    routesNamed(['GET /']),
  );
}
