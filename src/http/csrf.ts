import type { Context, Middleware } from 'koa';
import type { Config } from '../config/config.ts';
import { macOf, newSecret, sameSecret } from '../kernel/secret.ts';
import { getCookie, setCookie } from './cookies.ts';
import { crossSite, formExpired } from './refusals.ts';
import { type Csrf, stateOf } from './request-state.ts';
import { originOf } from './site.ts';

const COOKIE = 'lk_csrf';

/** Makes `csrfFor` and `requireCsrf` work behind it. */
export function csrf({
  key,
  config,
}: {
  key: Buffer;
  config: Pick<Config, 'baseUrl' | 'isHttps'>;
}): Middleware {
  const browserOf = (ctx: Context): string | undefined => {
    const value = getCookie(ctx, config, COOKIE);
    return value && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
  };
  const tokenOf = (browser: string, scope: string) => macOf(key, JSON.stringify([browser, scope]));
  const fresh = new WeakMap<object, string>();
  const handle: Csrf = {
    tokenFor(ctx, scope) {
      let browser = browserOf(ctx) ?? fresh.get(ctx.req);
      if (!browser) {
        browser = newSecret();
        fresh.set(ctx.req, browser);
        setCookie(ctx, config, { name: COOKIE, value: browser });
      }
      return tokenOf(browser, scope);
    },
    require(ctx, scope, submitted) {
      refuseForeign(ctx, originOf(ctx, config));
      const browser = browserOf(ctx);
      if (!browser || !submitted || !sameSecret(submitted, tokenOf(browser, scope))) throw formExpired();
    },
  };
  return (ctx, next) => {
    ctx.state.csrf = handle;
    return next();
  };
}

/** The token for a form of this page; sets the cookie it is bound to. `scope` names the form's purpose (app, interaction). */
export function csrfFor(ctx: Context, scope: string): string {
  return stateOf(ctx).csrf.tokenFor(ctx, scope);
}

/** Throws a Problem unless the form came from our page, in this browser, for this scope. */
export function requireCsrf(ctx: Context, scope: string, submitted: string | undefined): void {
  stateOf(ctx).csrf.require(ctx, scope, submitted);
}

/** What the browser itself says about where the request came from. */
function refuseForeign(ctx: Context, ownOrigin: string): void {
  const site = ctx.get('sec-fetch-site');
  const origin = ctx.get('origin');
  // Pages with `Referrer-Policy: no-referrer` send `Origin: null` with their own forms (Fetch §3.2): says nothing.
  const foreign = origin !== '' && origin !== 'null' && origin !== ownOrigin;
  const elsewhere = site === 'cross-site' || (site === 'same-site' && origin !== ownOrigin);
  if (foreign || elsewhere) throw crossSite();
}
