import type { Context } from 'koa';
import type { AppSnapshot } from '../apps/app.ts';

/** Answers a POST with a page to go to, so that reloading it sends nothing again. */
export function goTo(ctx: Context, path: string): void {
  ctx.redirect(path);
  ctx.status = 303;
}

/** Where a person can start again: the app's own site, as far as we know one. */
export function startUrlOf(snapshot: AppSnapshot): string | undefined {
  const [uri] = snapshot.clients.get(snapshot.app.appId)?.redirectUris ?? [];
  if (uri === undefined || !URL.canParse(uri)) return undefined;
  const { protocol, origin } = new URL(uri);
  return protocol === 'https:' || protocol === 'http:' ? `${origin}/` : undefined;
}
