import type { AccessToken, ClientCredentials, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AppSnapshot } from '../../apps/app.ts';
import type { Database } from '../../storage/database.ts';
import { liveUser } from '../account.ts';
import { customClaims } from './custom-claims.ts';

type Token = AccessToken | ClientCredentials;
type ExtraTokenClaims = (ctx: KoaContextWithOIDC, token: Token) => Promise<Record<string, unknown>>;

export type TokenClaimsDeps = { db: Database; snapshot: AppSnapshot };

/** Everything in an access token that is not the protocol's. What `ours` gives wins over what an app chose. */
export function accessTokenClaims(deps: TokenClaimsDeps, ours: ExtraTokenClaims): ExtraTokenClaims {
  const definitions = deps.snapshot.app.settings.custom_claims.filter((claim) =>
    claim.in.includes('access_token'),
  );
  return async (ctx, token) => {
    // First: it may refuse the request.
    const own = await ours(ctx, token);
    const user =
      definitions.length > 0 && token.kind === 'AccessToken' && token.accountId !== undefined
        ? await liveUser(deps.db, deps.snapshot.app.appId, token.accountId)
        : undefined;
    const chosen = user
      ? customClaims(definitions, user, { use: 'access_token', scope: token.scope ?? '' })
      : {};
    return { ...chosen, ...own };
  };
}

type IdTokenInstance = {
  available: Record<string, unknown>;
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
    }
    return issue.call(this, options);
  };
}
