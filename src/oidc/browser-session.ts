import type { Context } from 'koa';
import { digestOf, type RootKeys } from '../kernel/secret.ts';
import { type Database, lookingUp } from '../storage/database.ts';
import { liveSessionByDigest } from '../users/sessions/store.ts';
import { cookieSigner } from './cookie-signer.ts';
import { sessionCookieName } from './cookies.ts';

/** The session of a browser at one app, for pages that are not the library's. */
export type BrowserSession = {
  uid: string;
  sessionId: string;
  userId: string;
  /** When the person last proved who they are. */
  authTimeSeconds: number;
  /** How surely (authentication-context.ts). */
  acr: string | undefined;
};

export type BrowserSessionDeps = { db: Database; rootKeys: RootKeys };

/**
 * Asked of the database, never of the cache: what these pages do can not be taken back. Reads the app's own cookie and no
 * other. `origin`: of the pages, where the cookie is.
 */
export async function browserSession(
  deps: BrowserSessionDeps,
  ctx: Context,
  at: { appId: string; origin: string },
): Promise<BrowserSession | undefined> {
  const { appId, origin } = at;
  const name = sessionCookieName(origin, appId);
  const value = cookieOf(ctx, name);
  const signature = cookieOf(ctx, `${name}.sig`);
  if (!value || !signature) return undefined;
  if (!cookieSigner(deps.rootKeys, appId).verify(`${name}=${value}`, signature)) return undefined;
  const stored = await liveSessionByDigest(lookingUp(deps.db, appId), appId, digestOf(value));
  return (
    stored && {
      uid: stored.uid,
      sessionId: stored.session_id,
      userId: stored.user_id,
      authTimeSeconds: stored.payload.loginTs ?? 0,
      acr: stored.payload.acr,
    }
  );
}

function cookieOf(ctx: Context, name: string): string | undefined {
  for (const pair of ctx.get('cookie').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
