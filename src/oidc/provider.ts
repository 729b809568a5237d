import type { EventEmitter } from 'node:events';
import { type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { SigningKey } from '../apps/keys/signing-key.ts';
import { addIdTokenClaims } from './claims/token-claims.ts';
import { narrowClientRules } from './client-authentication.ts';
import { hasLiveSecret } from './client-secret.ts';
import { allowAccountPages } from './account-pages.ts';
import { type ConfigurationDeps, providerConfiguration } from './configuration.ts';
import { widenSetCookies } from './cookies.ts';
import { readHintsWith } from './id-token-hint.ts';
import { answerFailure } from './failed-request.ts';
import { claimOf } from './find-app.ts';
import { completeFeatures, narrowFeatures } from './features/features.ts';
import { tellInterval } from './features/device-flow.ts';
import { withResourceMetadata } from './protected-resources.ts';
import type { RemoteKeys } from './remote-keys.ts';
import { refuse } from './refusal.ts';
import { shareContexts } from './request-context.ts';
import { Problem } from '../kernel/problem.ts';
import { nameSessions } from './session-ids.ts';
import { nameSubjectTypes } from './subject.ts';
import { completeSignOut } from './sign-out.ts';
import { registerTokenExchange } from './token-exchange/token-exchange.ts';
import { inUnitOfWork, UnitOfWork } from './unit-of-work.ts';

export type ProviderDeps = ConfigurationDeps & {
  /** Keys that left the published set; what they signed still counts as a hint. */
  rememberedKeys: readonly SigningKey[];
  /** How long metadata and public keys may be cached. */
  jwksMaxAge: number;
  log: { error(fields: object, message: string): void; warn(fields: object, message: string): void };
  count: { tokenIssued(grantType: string): void };
  remoteKeys: RemoteKeys;
};

const OPEN_TO_EVERY_ORIGIN = new Set(['discovery', 'jwks']);

/** One app at one issuer. Knows no other app, no other issuer's codes and tokens, and reads no other app's cookies. */
export function createProvider(deps: ProviderDeps): Provider {
  const provider = new Provider(deps.issuerUrl, providerConfiguration(deps));
  // Scheme and host come from the request we made from configuration, never from the client's (see narrowed-request.ts).
  provider.proxy = true;
  provider.silent = true;
  shareContexts(provider);
  narrowFeatures(provider, deps);
  readHintsWith(provider, deps);
  const failures = new WeakMap<object, unknown>();
  provider.on('server_error', (ctx, error) => {
    failures.set(ctx.req, error);
  });
  (provider as EventEmitter).on('error', (error: unknown) =>
    deps.log.error({ err: error, app_id: deps.appId }, 'response failed'),
  );
  provider.on('device_authorization.success', (_ctx, body) => tellInterval(body));
  registerTokenExchange(provider, deps);
  provider.on('grant.success', (ctx) => deps.count.tokenIssued(String(ctx.oidc.params?.['grant_type'])));

  nameSessions(provider);
  nameSubjectTypes(provider, deps.snapshot);
  Object.assign(provider.Client.prototype, {
    compareClientSecret(this: { clientId: string }, presented: string): boolean {
      return hasLiveSecret(deps.snapshot.clients.get(this.clientId), presented);
    },
  });

  addIdTokenClaims(provider, deps);

  narrowClientRules(provider, deps);
  allowAccountPages(provider, deps);
  provider.use(async (ctx: KoaContextWithOIDC, next: () => Promise<void>) => {
    const unit = new UnitOfWork(deps.appId, () => ctx.oidc?.route);
    try {
      await inUnitOfWork(unit, next);
      const failure = failures.get(ctx.req);
      if (failure !== undefined) return await answerError(deps, ctx, failure);
      // Also on 4xx: what reuse revoked stays revoked.
      const refusal = await unit.commit(deps.db);
      if (refusal) await refuse(ctx, refusal, deps);
    } catch (error) {
      await answerError(deps, ctx, error);
    } finally {
      finish(ctx, deps);
    }
  });
  return provider;
}

async function answerError(deps: ProviderDeps, ctx: KoaContextWithOIDC, error: unknown): Promise<void> {
  if (!(error instanceof Problem) || error.kind !== 'invalid') return answerFailure(deps, ctx, error);
  ctx.remove('www-authenticate');
  await refuse(ctx, { error: 'invalid_request', description: error.message }, deps);
}

function finish(ctx: KoaContextWithOIDC, deps: ProviderDeps): void {
  completeSignOut(ctx, deps);
  completeFeatures(ctx, deps.snapshot);
  allowFormPost(ctx);
  const cookies = ctx.response.get('set-cookie') as unknown as string | string[] | undefined;
  if (cookies?.length) ctx.set('set-cookie', widenSetCookies(([] as string[]).concat(cookies), deps.appId));
  const challenge = ctx.oidc?.route === 'userinfo' ? ctx.response.get('www-authenticate') : '';
  if (challenge) ctx.set('www-authenticate', withResourceMetadata(challenge, deps.issuerUrl));
  // The library reflects any origin until it knows the client, and keeps that on errors (checklist #30).
  const route = ctx.oidc?.route;
  if (route !== undefined && OPEN_TO_EVERY_ORIGIN.has(route)) {
    if (ctx.status === 200) ctx.set('cache-control', `public, max-age=${deps.jwksMaxAge}`);
    return;
  }
  const origin = ctx.get('origin');
  const judged = ctx.oidc?.client !== undefined || mayReadRefusal(ctx, deps, origin);
  const allowed = judged && origin && ctx.response.get('access-control-allow-origin') === origin;
  if (!allowed) {
    ctx.remove('access-control-allow-origin');
    ctx.remove('access-control-expose-headers');
  }
}

/**
 * A proof is refused at userinfo before the client is known, yet its script has to read the nonce (RFC 9449 §8). The
 * origin is then judged by the client that the token names, unverified: all there is to read is the refusal.
 */
function mayReadRefusal(ctx: KoaContextWithOIDC, { snapshot }: ProviderDeps, origin: string): boolean {
  const [, token] = /^(?:Bearer|DPoP) (\S+)$/i.exec(ctx.get('authorization')) ?? [];
  if (ctx.oidc?.route !== 'userinfo' || ctx.status < 400 || token === undefined) return false;
  const clientId = claimOf(token, 'client_id');
  return snapshot.clients.get(clientId ?? '')?.allowedOrigins.includes(origin) ?? false;
}

/** Forms that end at the app: the page of `response_mode=form_post`, and the one of sign-out (Chromium applies form-action to redirects too). */
function allowFormPost(ctx: KoaContextWithOIDC): void {
  const target = formTarget(ctx);
  if (target === undefined || !ctx.response.is('html')) return;
  // The library has added the digest of its script to the policy, so the policy is amended, not written anew.
  const policy = ctx.response.get('content-security-policy');
  const { protocol, origin } = new URL(target);
  const source = /^https?:$/.test(protocol) ? origin : protocol;
  ctx.set('content-security-policy', policy.replace("form-action 'self'", `form-action 'self' ${source}`));
}

/** A redirect URI that the library has checked; never one that it has just refused. */
function formTarget(ctx: KoaContextWithOIDC): string | undefined {
  const { redirect_uri: redirectUri, post_logout_redirect_uri: returnTo } = ctx.oidc?.params ?? {};
  const isSigningOut = ctx.oidc?.route === 'end_session' && ctx.status === 200;
  const target = isSigningOut ? returnTo : ctx.oidc?.redirectUriCheckPerformed ? redirectUri : undefined;
  return typeof target === 'string' ? target : undefined;
}
