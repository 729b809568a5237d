import { randomUUID } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { cameThroughTrustedProxy } from './client-address.ts';
import { stateOf } from './request-state.ts';

/** Gives each request an id, in `ctx.state.requestId` and `X-Request-Id`; one that a trusted proxy gave is kept. */
export function requestIds(): Middleware {
  return (ctx, next) => {
    const given = ctx.get('x-request-id');
    const kept = cameThroughTrustedProxy(ctx) && /^[A-Za-z0-9_-]{8,64}$/.test(given);
    ctx.state.requestId = kept ? given : randomUUID();
    ctx.set('X-Request-Id', ctx.state.requestId);
    return next();
  };
}

export function requestId(ctx: Pick<Context, 'req'>): string {
  return stateOf(ctx).requestId;
}
