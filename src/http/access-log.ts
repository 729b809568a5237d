import type { Middleware } from 'koa';
import type { Logger } from '../telemetry/log.ts';
import { redactedUrl } from '../telemetry/redact.ts';

/** Health checks and assets would drown what matters. */
const QUIET = /^\/(healthz|readyz|health|metrics|assets\/|favicon)/;

/** One line per request, written when the answer is out or the client has gone. */
export function accessLog(log: Logger): Middleware {
  return (ctx, next) => {
    const level = QUIET.test(ctx.path) ? 'debug' : 'info';
    if (!log.writes(level)) return next();
    const begun = performance.now();
    ctx.res.once('close', () => {
      const fields = {
        request_id: ctx.state.requestId,
        method: ctx.method,
        url: redactedUrl(ctx.originalUrl),
        status: ctx.res.statusCode,
        duration_ms: Math.round((performance.now() - begun) * 10) / 10,
        address: ctx.state.clientAddress,
        user_agent: ctx.get('user-agent').slice(0, 256) || undefined,
        ...(ctx.res.writableFinished ? {} : { aborted: true }),
      };
      log[level](fields, 'request');
    });
    return next();
  };
}
