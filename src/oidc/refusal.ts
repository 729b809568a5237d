import type { KoaContextWithOIDC } from 'oidc-provider';
import type { App } from '../apps/app.ts';
import type { ProtocolPages } from './pages.ts';
import type { Refusal } from './unit-of-work.ts';

export type RefusalDeps = { issuerUrl: string; snapshot: { app: App }; pages: ProtocolPages };

const FRONT_CHANNEL = new Set(['authorization', 'resume']);

/**
 * Replaces a finished answer by a refusal that the commit decided on: as JSON at the token endpoint (RFC 6749 §5.2),
 * as an error response at the authorization endpoint (§4.1.2.1, with `iss`, RFC 9207), as a page elsewhere.
 */
export function refuse(ctx: KoaContextWithOIDC, refusal: Refusal, deps: RefusalDeps): void {
  for (const name of ['set-cookie', 'location']) ctx.remove(name);
  const { route, params } = ctx.oidc;
  if (FRONT_CHANNEL.has(route)) {
    const target = redirectWith(params ?? {}, refusal, deps.issuerUrl);
    if (target) {
      ctx.body = null;
      ctx.status = 303;
      ctx.set('location', target);
      return;
    }
  }
  if (FRONT_CHANNEL.has(route) || ctx.accepts('json', 'html') === 'html') {
    deps.pages.problem(ctx, { app: deps.snapshot.app, error: refusal.error, status: 400 });
    return;
  }
  ctx.status = refusal.error === 'invalid_client' ? 401 : 400;
  ctx.type = 'json';
  ctx.body = { error: refusal.error, error_description: refusal.description };
}

/** Only for a request whose redirect URI the library had accepted and whose answer it had ready. */
function redirectWith(params: Record<string, unknown>, refusal: Refusal, issuer: string): string | undefined {
  const { redirect_uri: redirectUri, response_mode: mode, state } = params;
  if (typeof redirectUri !== 'string' || (mode !== undefined && mode !== 'query' && mode !== 'fragment'))
    return undefined;
  const answer = new URLSearchParams({
    error: refusal.error,
    error_description: refusal.description,
    iss: issuer,
  });
  if (typeof state === 'string') answer.set('state', state);
  const url = new URL(redirectUri);
  if (mode === 'fragment') url.hash = answer.toString();
  else for (const [name, value] of answer) url.searchParams.append(name, value);
  return url.href;
}
