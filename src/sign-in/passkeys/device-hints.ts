import type { Context } from 'koa';
import type { Config } from '../../config/config.ts';
import { getCookie, setCookie } from '../../http/cookies.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf } from '../../kernel/secret.ts';

type CookieConfig = Pick<Config, 'isHttps'>;

/** Set by views/assets/passkeys.js in browsers that can make a passkey. Proves nothing and opens nothing. */
const CAN = 'lk_webauthn';

const settledName = (appId: string): string => `lk_pk.${appId}`;
const marked = (userId: string): string => digestOf(userId).slice(0, 22);

export type Settled = 'declined' | 'has_one';
const DAYS: Record<Settled, number> = { declined: 30, has_one: 365 };

/** Whether this browser said that it can make passkeys. */
export const canMakePasskeys = (ctx: Context, config: CookieConfig): boolean =>
  getCookie(ctx, config, CAN) === '1';

/** Whether this person, in this browser, was asked lately or needs not be asked. */
export const isSettled = (
  ctx: Context,
  config: CookieConfig,
  at: { appId: string; userId: string },
): boolean => getCookie(ctx, config, settledName(at.appId)) === marked(at.userId);

/** Asks nothing more here for a while. */
export function settle(
  ctx: Context,
  config: CookieConfig,
  at: { appId: string; userId: string; how: Settled },
): void {
  setCookie(ctx, config, {
    name: settledName(at.appId),
    value: marked(at.userId),
    maxAgeSeconds: DAYS[at.how] * seconds.day,
  });
}
