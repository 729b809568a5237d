import type { Context } from 'koa';
import type { Config } from '../../config/config.ts';
import { getCookie, setCookie } from '../../http/cookies.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf, newSecret } from '../../kernel/secret.ts';

type CookieConfig = Pick<Config, 'isHttps'>;

const nameOf = (appId: string): string => `lk_trust.${appId}`;
/** 256 random bits as base64url. */
const VALUE = /^[A-Za-z0-9_-]{43}$/;

/** So many people of one app are remembered at one browser: 175 bytes. Who asked longest ago is forgotten first. */
const MOST = 4;

export type Trust = { value: string; digest: string };

/** What this browser was given at this app, the newest first. What each is worth, and for whom, the database says. */
export function trustsOf(ctx: Context, config: CookieConfig, appId: string): Trust[] {
  return (getCookie(ctx, config, nameOf(appId)) ?? '')
    .split('.', MOST)
    .filter((value) => VALUE.test(value))
    .map(trustFrom);
}

/** A new one each time: what another person of this browser was given is not handed on. */
export const newTrust = (): Trust => trustFrom(newSecret());

const trustFrom = (value: string): Trust => ({ value, digest: digestOf(value) });

export function giveTrust(
  ctx: Context,
  config: CookieConfig,
  { appId, trusts, days }: { appId: string; trusts: readonly Trust[]; days: number },
): void {
  const value = trusts
    .slice(0, MOST)
    .map((one) => one.value)
    .join('.');
  setCookie(ctx, config, { name: nameOf(appId), value, maxAgeSeconds: days * seconds.day });
}
