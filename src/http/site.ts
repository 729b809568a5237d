import type { Context } from 'koa';
import { stateOf } from './request-state.ts';

/** The origin that pages of this answer have: BASE_URL's, or that of the app's domain. */
export function originOf(ctx: Pick<Context, 'req'>, config: { baseUrl: string }): string {
  return stateOf(ctx).site?.origin ?? config.baseUrl;
}

/** Whether browsers reach this site by https. TLS may end at a proxy, so the socket does not know. */
export function isHttpsSite(ctx: Pick<Context, 'req'>, config: { isHttps: boolean }): boolean {
  const { site } = stateOf(ctx);
  return site?.appId === undefined ? config.isHttps : site.origin.startsWith('https:');
}
