import type { KoaContextWithOIDC } from 'oidc-provider';
import { sessionCookieName } from './cookies.ts';
import { protocolRoutes } from './issuers.ts';

export type SignOutDeps = { appId: string; issuerUrl: string };

/** What the library's sign-out leaves to be done, on the answer it has ready. */
export function completeSignOut(ctx: KoaContextWithOIDC, deps: SignOutDeps): void {
  const route = ctx.oidc?.route;
  if (route === 'end_session' && ctx.status === 200 && !ctx.oidc.session?.accountId) goOn(ctx, deps);
  if (route === 'end_session_confirm') addressLastPage(ctx, deps);
}

/**
 * Nobody is signed in: nothing is asked and nothing has to end, so the browser goes on at once. The library would
 * send a form by script, on a page of its own, and keep a session for it.
 */
function goOn(ctx: KoaContextWithOIDC, { appId, issuerUrl }: SignOutDeps): void {
  const { post_logout_redirect_uri: returnTo, state } = ctx.oidc.params ?? {};
  const target = new URL(
    typeof returnTo === 'string'
      ? returnTo
      : `${issuerUrl}${protocolRoutes.end_session}/success?client_id=${appId}`,
  );
  // OpenID Connect RP-Initiated Logout 1.0 §3.
  if (typeof returnTo === 'string' && typeof state === 'string') target.searchParams.set('state', state);
  // A cookie of a session that has ended would still list the app as one to sign out of.
  const cookie = { path: '/', httpOnly: true, sameSite: 'lax', signed: true, overwrite: true } as const;
  ctx.cookies.set(sessionCookieName(issuerUrl, appId), null, cookie);
  ctx.body = null;
  ctx.status = 303;
  ctx.set('location', target.href);
}

/**
 * The last page says which app it means, so that the shared issuer finds it, and whoever chose to stay is not told
 * that they are signed out: the library sends both there, and names the client for neither.
 */
function addressLastPage(ctx: KoaContextWithOIDC, { appId }: SignOutDeps): void {
  // A refused confirmation leads nowhere, and then there is no such header, whatever the types say.
  const location = String(ctx.response.get('location') ?? '');
  if (!location.endsWith(`${protocolRoutes.end_session}/success`)) return;
  const stayed = ctx.oidc.params?.['logout'] ? '' : '&stayed=yes';
  ctx.set('location', `${location}?client_id=${appId}${stayed}`);
}
