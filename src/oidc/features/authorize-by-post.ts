import type { Context } from 'koa';
import { Problem } from '../../kernel/problem.ts';

/** What servers and browsers take in a URL without question. */
const LONGEST_URL = 8000;

/**
 * An authorization request by POST (OIDC Core §3.1.2.1), or one to sign out. A POST from another site brings no `SameSite=Lax` cookie, and
 * a cookie that came with one would be open to every site; so the browser is told to ask again by GET, which brings it.
 */
export function repeatByGet(ctx: Context, endpoint: string, body: string): void {
  const query = [ctx.querystring, new URLSearchParams(body).toString()].filter(Boolean).join('&');
  const target = `${endpoint}?${query}`;
  if (target.length > LONGEST_URL) {
    throw new Problem({
      code: 'request.too_large',
      kind: 'too_large',
      message: 'This request is too long. It can be pushed instead (RFC 9126).',
    });
  }
  ctx.set('cache-control', 'no-store');
  // RFC 9700 §4.12: 303, so that nothing is posted on.
  ctx.body = null;
  ctx.status = 303;
  ctx.set('location', target);
}
