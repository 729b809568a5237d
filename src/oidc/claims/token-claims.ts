import type { AccessToken, ClientCredentials, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AppSnapshot } from '../../apps/app.ts';
import type { Database } from '../../storage/database.ts';
import { liveUser } from '../account.ts';
import { askHook, type AskDeps } from '../token-hook/ask.ts';
import { grantNameOf } from '../token-hook/question.ts';
import { unitOfWork } from '../unit-of-work.ts';
import { customClaims } from './custom-claims.ts';

type Token = AccessToken | ClientCredentials;
type Claims = Record<string, unknown>;
type ExtraTokenClaims = (ctx: KoaContextWithOIDC, token: Token) => Promise<Claims>;

export type TokenClaimsDeps = AskDeps & { db: Database; snapshot: AppSnapshot };

/** Between the access token, where the hook is asked, and the ID token of the same request. */
const FOR_ID_TOKEN = 'id-token-claims';

/** Everything in an access token that is not the protocol's. What `ours` gives wins over what an app chose. */
export function accessTokenClaims(deps: TokenClaimsDeps, ours: ExtraTokenClaims): ExtraTokenClaims {
  const { app, tokenHook } = deps.snapshot;
  const definitions = app.settings.custom_claims.filter((claim) => claim.in.includes('access_token'));
  if (!tokenHook && definitions.length === 0) return ours;
  return async (ctx, token) => {
    // First: it may refuse the request.
    const own = await ours(ctx, token);
    const user =
      token.kind === 'AccessToken' && token.accountId !== undefined
        ? await liveUser(deps.db, app.appId, token.accountId)
        : undefined;
    const chosen = user
      ? customClaims(definitions, user, { use: 'access_token', scope: token.scope ?? '' })
      : {};
    return { ...chosen, ...(await hookClaims(deps, ctx, { token, user })), ...own };
  };
}

async function hookClaims(
  deps: TokenClaimsDeps,
  ctx: KoaContextWithOIDC,
  { token, user }: { token: Token; user: Awaited<ReturnType<typeof liveUser>> },
): Promise<Claims> {
  const { tokenHook, clients } = deps.snapshot;
  if (!tokenHook || tokenHook.grantTypes?.includes(grantNameOf(ctx)) === false) return {};
  const client = clients.get(ctx.oidc.client?.clientId ?? '');
  const { accessToken, idToken } = await askHook(deps, ctx, tokenHook, { token, client, user });
  unitOfWork().memo.set(FOR_ID_TOKEN, idToken);
  return accessToken;
}

type IdTokenInstance = {
  available: Claims;
  rejected?: string[];
  set(name: string, value: unknown): void;
  issue(options: { use: string }): Promise<string>;
};

/**
 * The library keeps scope claims out of ID tokens while there is a userinfo endpoint (OIDC Core §5.4). What an app
 * wants in there all the same is set beside them; the account has given only what the granted scopes allow.
 */
export function addIdTokenClaims(provider: Provider, { snapshot }: Pick<TokenClaimsDeps, 'snapshot'>): void {
  const names = snapshot.app.settings.custom_claims
    .filter((claim) => claim.in.includes('id_token'))
    .map(({ name }) => name);
  const prototype = provider.IdToken.prototype as unknown as IdTokenInstance;
  const issue = prototype.issue;
  prototype.issue = function issueWithClaims(this: IdTokenInstance, options): Promise<string> {
    if (options.use === 'idtoken') {
      for (const name of names)
        if (Object.hasOwn(this.available, name) && !this.rejected?.includes(name))
          this.set(name, this.available[name]);
      const given = unitOfWork().memo.get(FOR_ID_TOKEN) as Claims | undefined;
      for (const [name, value] of Object.entries(given ?? {})) this.set(name, value);
    }
    return issue.call(this, options);
  };
}
