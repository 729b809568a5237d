import type { Context } from 'koa';
import type { Config } from '../../config/config.ts';
import { getCookie, setCookie } from '../../http/cookies.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';

type CookieConfig = Pick<Config, 'isHttps'>;

const nameOf = (appId: string): string => `lk_trust.${appId}`;
/** 256 random bits as base64url. */
const VALUE = /^[A-Za-z0-9_-]{43}$/;

/** The digest of this browser's cookie at this app, if it brings one. What it is worth, the database says. */
export function trustOf(ctx: Context, config: CookieConfig, appId: string): string | undefined {
  const value = getCookie(ctx, config, nameOf(appId));
  return value !== undefined && VALUE.test(value) ? digestOf(value) : undefined;
}

/** A new one each time: what another person of this browser was given is not handed on. */
export function newTrust(): { value: string; digest: string } {
  const value = newSecret();
  return { value, digest: digestOf(value) };
}

export function giveTrust(
  ctx: Context,
  config: CookieConfig,
  trust: { appId: string; value: string; days: number },
): void {
  setCookie(ctx, config, {
    name: nameOf(trust.appId),
    value: trust.value,
    maxAgeSeconds: trust.days * seconds.day,
  });
}
