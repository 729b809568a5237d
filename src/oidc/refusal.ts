import type { Context } from 'koa';
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
export async function refuse(ctx: KoaContextWithOIDC, refusal: Refusal, deps: RefusalDeps): Promise<void> {
  for (const name of ['set-cookie', 'location']) ctx.remove(name);
  const { route } = ctx.oidc;
  if (FRONT_CHANNEL.has(route)) {
    const target = await redirectWith(ctx, refusal, deps.issuerUrl);
    if (target) {
      ctx.body = null;
      ctx.status = 303;
      ctx.set('location', target);
      return;
    }
  }
  if (FRONT_CHANNEL.has(route))
    return deps.pages.problem(ctx, { app: deps.snapshot.app, error: refusal.error, status: 400 });
  refuseClient(ctx, refusal, deps);
}

/** To a client's server, or as a page to whoever asks for one. */
export function refuseClient(
  ctx: Pick<Context, 'req' | 'status' | 'accepts' | 'type' | 'body'>,
  refusal: Refusal,
  deps: Pick<RefusalDeps, 'snapshot' | 'pages'>,
): void {
  if (ctx.accepts('json', 'html') === 'html')
    return deps.pages.problem(ctx, { app: deps.snapshot.app, error: refusal.error, status: 400 });
  ctx.status = refusal.error === 'invalid_client' ? 401 : 400;
  ctx.type = 'json';
  ctx.body = { error: refusal.error, error_description: refusal.description };
}

const REDIRECTING = new Set([undefined, 'query', 'fragment', 'jwt', 'query.jwt', 'fragment.jwt']);

/** Only for a request whose redirect URI the library had accepted and whose answer it had ready. */
async function redirectWith(
  ctx: KoaContextWithOIDC,
  refusal: Refusal,
  issuer: string,
): Promise<string | undefined> {
  const { redirect_uri: redirectUri, response_mode: mode, state } = ctx.oidc.params ?? {};
  if (typeof redirectUri !== 'string' || !REDIRECTING.has(mode as string | undefined)) return undefined;
  const said = {
    error: refusal.error,
    error_description: refusal.description,
    iss: issuer,
    ...(typeof state === 'string' ? { state } : {}),
  };
  const answer = new URLSearchParams(
    String(mode).endsWith('jwt') ? { response: await signed(ctx, said) } : said,
  );
  const url = new URL(redirectUri);
  if (String(mode).startsWith('fragment')) url.hash = answer.toString();
  else for (const [name, value] of answer) url.searchParams.append(name, value);
  return url.href;
}

/** JARM §2.1, as the library signs its own answers. */
async function signed(ctx: KoaContextWithOIDC, said: Record<string, string>): Promise<string> {
  const token = new ctx.oidc.provider.IdToken({}, { ctx, client: ctx.oidc.client! });
  for (const [name, value] of Object.entries(said)) token.set(name, value);
  return token.issue({ use: 'authorization' as 'idtoken' });
}
