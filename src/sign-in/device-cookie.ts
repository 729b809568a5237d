import type { Context } from 'koa';
import type { Config } from '../config/config.ts';
import { getCookie, setCookie } from '../http/cookies.ts';
import { seconds } from '../kernel/duration.ts';
import { digestOf, newSecret } from '../kernel/secret.ts';

type CookieConfig = Pick<Config, 'isHttps'>;

const nameOf = (appId: string): string => `lk_dev.${appId}`;

/** 256 random bits as base64url; anything else that a browser brings is no device cookie of ours. */
const VALUE = /^[A-Za-z0-9_-]{43}$/;

const valueOf = (ctx: Context, config: CookieConfig, appId: string): string | undefined => {
  const value = getCookie(ctx, config, nameOf(appId));
  return value !== undefined && VALUE.test(value) ? value : undefined;
};

/** The digest of this browser's device cookie at this app, if it brings one. Proves nothing by itself. */
export function deviceOf(ctx: Context, config: CookieConfig, appId: string): string | undefined {
  const value = valueOf(ctx, config, appId);
  return value === undefined ? undefined : digestOf(value);
}

/** Gives the browser a device cookie, or keeps the one it has for another year. Returns its digest. */
export function markDevice(ctx: Context, config: CookieConfig, appId: string): string {
  const value = valueOf(ctx, config, appId) ?? newSecret();
  setCookie(ctx, config, { name: nameOf(appId), value, maxAgeSeconds: 365 * seconds.day });
  return digestOf(value);
}
