import { STATUS_CODES } from 'node:http';
import type { Context, Middleware } from 'koa';
import { Problem, unavailable } from '../kernel/problem.ts';
import { isUnavailable } from '../storage/database.ts';
import type { HttpDeps } from './http-deps.ts';
import { t } from './messages.ts';
import { localeOf, showPage } from './page.ts';
import { notFound } from './refusals.ts';
import { stateOf } from './request-state.ts';

type ErrorDeps = Pick<HttpDeps, 'views' | 'log'>;

/** Turns what is thrown, and what nobody answered, into a page or problem+json (RFC 9457). Nothing internal gets out. */
export function renderErrors(deps: ErrorDeps): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      answerWith(ctx, deps, error);
      return;
    }
    if (ctx.respond === false || ctx.headerSent) return;
    if (ctx.status === 404 && ctx.body == null) answerWith(ctx, deps, notFound());
  };
}

/** Answers with the error and logs it if it is ours. Also for handlers outside the middleware (the protocol library's). */
export function answerWith(ctx: Context, deps: ErrorDeps, error: unknown): void {
  const problem = problemOf(error);
  const { requestId } = stateOf(ctx);
  if (!problem) deps.log.error({ err: error, request_id: requestId }, 'a request failed');
  // Who is refused for want of time is counted, not written down: that would cost more than the refusal.
  else if (problem.status >= 500 && (problem.kind !== 'busy' || problem.cause !== undefined))
    deps.log.warn(
      { err: problem.cause ?? problem, request_id: requestId, problem: problem.code },
      'a request was refused',
    );
  if (ctx.headerSent) return;
  ctx.status = problem?.status ?? 500;
  if (problem?.retryAfterSeconds !== undefined)
    ctx.set('Retry-After', String(Math.ceil(problem.retryAfterSeconds)));
  ctx.set('Cache-Control', 'no-store');
  if (wantsJson(ctx)) return sendJson(ctx, problem, requestId);
  try {
    sendPage(ctx, deps, problem);
  } catch (cause) {
    deps.log.error({ err: cause, request_id: requestId }, 'the error page failed');
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = `Something went wrong. If you ask for help, quote this number: ${requestId}\n`;
  }
}

function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (isUnavailable(error)) return unavailable('a store', error);
  return undefined;
}

/** Machines are answered in JSON: below /api and /scim always, elsewhere when they ask for it and not for HTML. */
export function wantsJson(ctx: Context): boolean {
  if (/^\/(api|scim)(\/|$)/.test(ctx.path)) return true;
  return ctx.get('accept') !== '' && ctx.accepts('html', 'json') === 'json';
}

function sendJson(ctx: Context, problem: Problem | undefined, requestId: string): void {
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[ctx.status] ?? 'Error',
    status: ctx.status,
    code: problem?.code ?? 'internal',
    detail: problem?.message ?? 'Something went wrong.',
    ...(problem?.field === undefined ? {} : { field: problem.field }),
    request_id: requestId,
  };
  ctx.type = 'application/problem+json';
  ctx.body = JSON.stringify(body);
}

function sendPage(ctx: Context, deps: ErrorDeps, problem: Problem | undefined): void {
  const { requestId } = stateOf(ctx);
  if (problem?.kind === 'not_found') return showPage(ctx, deps, 'error/not-found');
  if (problem?.kind === 'expired') return showPage(ctx, deps, 'error/expired');
  if (problem?.kind === 'unavailable' || problem?.kind === 'busy')
    return showPage(ctx, deps, 'error/unavailable', {
      retry_after: Math.ceil(problem.retryAfterSeconds ?? 5),
      ...(problem.kind === 'busy' ? { busy: true } : {}),
    });
  const { title, message } = inWords(localeOf(ctx), problem);
  showPage(ctx, deps, 'error/problem', {
    status: ctx.status,
    title,
    message,
    request_id: problem ? null : requestId,
    again_url: againUrl(ctx, problem),
  });
}

/**
 * Where the same thing can be tried once more: a form that is too old begins at its page, everything that passes by
 * itself at this very address. null: trying again would be refused again.
 */
function againUrl(ctx: Context, problem: Problem | undefined): string | null {
  if (!problem || problem.status >= 500 || problem.kind === 'limited') return '';
  if (problem.code !== 'request.form_expired') return null;
  const page = /^\/auth\/[a-z0-9_-]+\/(?:interaction|account)\/[A-Za-z0-9_-]+/.exec(ctx.path);
  return page?.[0] ?? '';
}

/** What a person is told, in their language. The exact sentence of a Problem is for developers, who ask for JSON. */
function inWords(locale: string, problem: Problem | undefined): { title: string; message: string } {
  if (!problem || problem.status >= 500)
    return { title: t(locale, 'error.server.title'), message: t(locale, 'error.server.body') };
  const title = t(locale, 'error.request.title');
  if (problem.code === 'request.form_expired') return { title, message: t(locale, 'problem.form_expired') };
  if (problem.kind === 'limited') {
    const minutes = Math.max(1, Math.ceil((problem.retryAfterSeconds ?? 60) / 60));
    return { title, message: t(locale, 'problem.too_many', { minutes }) };
  }
  return { title, message: t(locale, 'error.request.body') };
}
