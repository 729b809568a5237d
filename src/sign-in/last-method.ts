import type { Context } from 'koa';
import type { Config } from '../config/config.ts';
import { getCookie, setCookie } from '../http/cookies.ts';
import { seconds } from '../kernel/duration.ts';

type CookieConfig = Pick<Config, 'isHttps'>;

const nameOf = (appId: string): string => `lk_method.${appId}`;

/** The name of a method, and nothing about who used it: whoever shares the browser learns no more than that. */
const NAME = /^[a-z]+(?:_[a-z]+)*$/;

/** How somebody last signed in to this app in this browser. Proves nothing; only a method's own name is of use. */
export function lastMethod(ctx: Context, config: CookieConfig, appId: string): string | null {
  const value = getCookie(ctx, config, nameOf(appId));
  return value !== undefined && value.length <= 32 && NAME.test(value) ? value : null;
}

export function rememberMethod(
  ctx: Context,
  config: CookieConfig,
  last: { appId: string; method: string },
): void {
  if (!NAME.test(last.method)) return;
  setCookie(ctx, config, {
    name: nameOf(last.appId),
    value: last.method,
    maxAgeSeconds: 365 * seconds.day,
  });
}
