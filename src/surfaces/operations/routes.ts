import type { Context, Middleware } from 'koa';
import type { Config } from '../../config/config.ts';
import { isLoopbackAddress, peerAddress } from '../../http/client-address.ts';
import { answering, routesNamed } from '../../http/route-table.ts';
import { notFound } from '../../http/refusals.ts';
import { sameSecret, digestOf } from '../../kernel/secret.ts';
import { type HealthDeps, healthOf } from '../../telemetry/health.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export type OperationsDeps = {
  config: Pick<Config, 'environment' | 'metricsToken'>;
  health: HealthDeps;
  metrics: Metrics;
};

/** GET /healthz, /readyz, /health, /metrics: for machines that watch this one. */
export function operationsRoutes(deps: OperationsDeps): Middleware {
  const answers: Record<string, (ctx: Context) => Promise<void> | void> = {
    '/healthz': live,
    '/readyz': (ctx) => ready(ctx, deps),
    '/health': (ctx) => ready(ctx, deps),
    '/metrics': (ctx) => scrape(ctx, deps),
  };
  const routes = routesNamed(Object.keys(answers).map((path) => `GET ${path}`));
  return answering(async (ctx, next) => {
    const answer = Object.hasOwn(answers, ctx.path) ? answers[ctx.path] : undefined;
    if (!answer || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();
    ctx.state.route = ctx.path;
    ctx.set('Cache-Control', 'no-store');
    await answer(ctx);
  }, routes);
}

/** Depends on nothing: a store that is away must not make an orchestrator restart us. */
function live(ctx: Context): void {
  ctx.type = 'application/json';
  ctx.body = JSON.stringify({ status: 'ok' });
}

async function ready(ctx: Context, deps: OperationsDeps): Promise<void> {
  const health = await healthOf(deps.health);
  ctx.status = health.status === 'ok' ? 200 : 503;
  if (ctx.status === 503) ctx.set('Retry-After', '2');
  ctx.type = 'application/json';
  ctx.body = JSON.stringify(health);
}

async function scrape(ctx: Context, deps: OperationsDeps): Promise<void> {
  if (!mayRead(ctx, deps.config)) {
    if (!deps.config.metricsToken) throw notFound();
    ctx.status = 401;
    ctx.set('WWW-Authenticate', 'Bearer');
    ctx.body = '';
    return;
  }
  ctx.type = deps.metrics.contentType;
  ctx.body = await deps.metrics.text();
}

function mayRead(ctx: Context, config: OperationsDeps['config']): boolean {
  if (config.metricsToken) {
    const given = /^Bearer +(\S+)$/i.exec(ctx.get('authorization'))?.[1] ?? '';
    // Digests have one length, so that not even the length of the token shows in the time.
    return sameSecret(digestOf(given), digestOf(config.metricsToken.reveal()));
  }
  // A proxy on this machine makes every peer loopback; what it forwards is not local.
  const forwarded = ctx.get('x-forwarded-for') !== '' || ctx.get('forwarded') !== '';
  return config.environment === 'development' || (isLoopbackAddress(peerAddress(ctx)) && !forwarded);
}
