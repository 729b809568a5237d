import type { Context, Middleware } from 'koa';
import type { Config } from '../config/config.ts';
import { newNonce } from '../kernel/secret.ts';
import { stateOf } from './request-state.ts';

/** Sets `ctx.state.formActions`, and the headers that every answer bears. */
export function securityHeaders(config: Pick<Config, 'isHttps'>): Middleware {
  return async (ctx, next) => {
    ctx.state.formActions = [];
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('X-Frame-Options', 'DENY');
    ctx.set('Referrer-Policy', 'no-referrer');
    ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
    if (config.isHttps) ctx.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
    ctx.set('Content-Security-Policy', NO_PAGE);
    await next();
    if (ctx.headerSent) return;
    if (ctx.response.is('html')) {
      // Unless the page has chosen its own, as the sandboxed view of a mail does.
      if (!ctx.state.ownPolicy) setContentSecurityPolicy(ctx);
      ctx.set('Cache-Control', 'no-store');
    }
  };
}

/** Writes the policy for this page, with the `formActions` known by now. */
export function setContentSecurityPolicy(ctx: Pick<Context, 'req' | 'set'>): void {
  const { formActions } = stateOf(ctx);
  const inline = ` 'nonce-${nonceOf(ctx)}'`;
  // Chromium applies it to the redirect after the POST too, so the app's redirect URI has to be in it.
  ctx.set(
    'Content-Security-Policy',
    policyOf(inline, [...new Set(formActions)].map((source) => ` ${source}`).join('')),
  );
}

/** For inline styles and scripts of this answer. */
export function nonceOf(ctx: Pick<Context, 'req'>): string {
  const state = stateOf(ctx);
  state.nonce ??= newNonce();
  return state.nonce;
}

function policyOf(inline: string, formActions: string): string {
  return [
    "default-src 'none'",
    `style-src 'self'${inline}`,
    `script-src 'self'${inline}`,
    "img-src 'self' data:",
    "font-src 'self'",
    `form-action 'self'${formActions}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
}

/** Of answers that are no page: nothing that they hold may be run or drawn. */
const NO_PAGE = policyOf('', '');

/** For an answer with a text that nobody is to see, as a redirect has: it keeps the policy of what is no page. */
export function answerWithoutPage(ctx: Context): void {
  ctx.state.ownPolicy = true;
}

/** Replaces the policy of this one answer. */
export function chooseContentSecurityPolicy(ctx: Context, policy: string): void {
  ctx.state.ownPolicy = true;
  ctx.set('Content-Security-Policy', policy);
}

/** Lets forms of this page lead to the redirect URI: its origin, or its private-use scheme. Ignores what is not a URL. */
export function allowFormTo(ctx: Pick<Context, 'req'>, redirectUri: string): void {
  if (!URL.canParse(redirectUri)) return;
  const { protocol, origin } = new URL(redirectUri);
  const source = /^https?:$/.test(protocol) ? origin : protocol;
  // A registered URI is not free text, yet nothing that could end the directive may get into a header.
  if (/^[a-z0-9+.:/[\]-]+$/i.test(source)) stateOf(ctx).formActions.push(source);
}
