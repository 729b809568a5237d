import type { Context } from 'koa';
import type { Config } from '../config/config.ts';
import { isHttpsSite } from './site.ts';

type CookieConfig = Pick<Config, 'isHttps'>;

export type CookieOptions = {
  /** Without it the cookie ends with the browser. */
  maxAgeSeconds?: number | undefined;
  path?: string | undefined;
  sameSite?: 'Lax' | 'Strict' | undefined;
};

/** `__Host-` (RFC 6265bis §4.1.3.2) on https, where no other host and no plain-http page can then set the cookie; `__Secure-` where the path is narrower. */
export function cookieName(config: CookieConfig, name: string, path = '/'): string {
  if (!config.isHttps) return name;
  return `${path === '/' ? '__Host-' : '__Secure-'}${name}`;
}

export function getCookie(ctx: Context, config: CookieConfig, name: string, path = '/'): string | undefined {
  const wanted = cookieName({ isHttps: isHttpsSite(ctx, config) }, name, path);
  for (const pair of ctx.get('cookie').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === wanted)
      return pair.slice(equals + 1).trim() || undefined;
  }
  return undefined;
}

/** Host-only, HttpOnly, and Secure wherever the site is https, also behind a proxy that ends TLS. */
export function setCookie(
  ctx: Context,
  config: CookieConfig,
  cookie: { name: string; value: string } & CookieOptions,
): void {
  const { name, value, path = '/', sameSite = 'Lax', maxAgeSeconds } = cookie;
  if (!/^[A-Za-z0-9_.~%-]*$/.test(value)) throw new Error(`the value of cookie ${name} needs encoding`);
  const isHttps = isHttpsSite(ctx, config);
  const full = cookieName({ isHttps }, name, path);
  const attributes = [`${full}=${value}`, `Path=${path}`, 'HttpOnly', `SameSite=${sameSite}`];
  if (isHttps) attributes.push('Secure');
  if (maxAgeSeconds !== undefined) attributes.push(`Max-Age=${Math.floor(maxAgeSeconds)}`);
  // Two Set-Cookie lines of one name in one answer are forbidden (RFC 6265 §4.1.1): the later one replaces the earlier.
  const others = [ctx.response.get('set-cookie')]
    .flat()
    .filter((line) => line && !line.startsWith(`${full}=`));
  ctx.set('Set-Cookie', [...others, attributes.join('; ')]);
}

export function clearCookie(ctx: Context, config: CookieConfig, name: string, path = '/'): void {
  setCookie(ctx, config, { name, value: '', path, maxAgeSeconds: 0 });
}
