import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Outgoing, OutgoingRequest } from '../http/outgoing.ts';
import type { AppSnapshot } from '../apps/app.ts';
import { allScopeNames, identifiersOf } from '../apps/apis/api.ts';
import { clientAuthentication } from './client-authentication.ts';
import type { AskDeps } from './token-hook/ask.ts';
import { clientHooks } from './client-hooks.ts';
import { grantHooks } from './grant-hooks.ts';
import { tokenHooks } from './token-hooks.ts';
import { accountFinder, claimsConfiguration } from './account.ts';
import { accessTokenClaims } from './claims/token-claims.ts';
import { reachableAcrs } from './authentication-context.ts';
import { adapterFactory } from './adapter.ts';
import type { AdapterDeps } from './adapters/adapter-deps.ts';
import { standardScopes } from './client-metadata.ts';
import { cookieSigner } from './cookie-signer.ts';
import { resourceHooks } from './resources.ts';
import { cookieOptions, sessionCookieName, sessionCookieOptions, shortCookies } from './cookies.ts';
import { isFapi, strict } from './features/fapi.ts';
import { featureAlgorithms, protocolFeatures } from './features/features.ts';
import { signedResponseDefaults } from './features/signed-responses.ts';
import { pagesOrigin, protocolRoutes } from './issuers.ts';
import { deviceFlow } from './features/device-flow.ts';
import type { ProtocolPages } from './pages.ts';
import { interactionRules } from './policy.ts';
import { subjectConfiguration } from './subject.ts';
import { algorithmsOf, keyOfProvider } from './signing-key.ts';

export type ConfigurationDeps = AdapterDeps & {
  baseUrl: string;
  pages: ProtocolPages;
  outgoing: Outgoing;
  count: AskDeps['count'];
};

/** The library's configuration for one app at one issuer. What is not named here is off. */
export function providerConfiguration(deps: ConfigurationDeps): Configuration {
  const { snapshot } = deps;
  const { tokens, grants, clients, resources, authentication } = hooksOf(deps);
  return {
    adapter: adapterFactory(deps),
    findAccount: accountFinder(deps.db, snapshot),
    ...signing(deps),
    ...subjectConfiguration(snapshot),
    routes: protocolRoutes,
    responseTypes: ['code'],
    acrValues: [...reachableAcrs(snapshot.app.settings)],
    ...authentication.checks,
    scopes: plainScopes(snapshot),
    claims: claimsConfiguration(snapshot.app.settings.custom_claims),
    enabledJWA: {
      idTokenSigningAlgValues: algorithmsOf(deps.keys),
      clientAuthSigningAlgValues: strict(snapshot, authentication.signingAlgorithms),
      ...featureAlgorithms(snapshot, algorithmsOf(deps.keys)),
    },
    // RFC 9700 §2.1.1: S256 only (the library knows no other), required unless the client says otherwise.
    pkce: { required: clients.pkceRequired },
    // RFC 9700 §4.14.2: rotated for every client, not only for public ones. FAPI 2.0 §5.3.2.1: not there, where they are bound.
    rotateRefreshToken: !isFapi(snapshot),
    issueRefreshToken: grants.issueRefreshToken,
    expiresWithSession: grants.expiresWithSession,
    extraTokenClaims: accessTokenClaims(deps, tokens.extraTokenClaims),
    formats: { customizers: { jwt: tokens.jwtCustomizer } },
    loadExistingGrant: grants.loadExistingGrant,
    clientBasedCORS: clients.clientBasedCORS,
    clockTolerance: 15,
    ttl: tokens.ttl,
    interactions: interactionConfiguration(deps),
    cookies: cookieConfiguration(deps),
    features: {
      devInteractions: { enabled: false },
      // Every signature is made by a Signer, so that a private half may live elsewhere (decision 0014).
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
      userinfo: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: clients.mayIntrospect },
      revocation: { enabled: true, allowedPolicy: clients.mayRevoke },
      ...deviceFlow(deps),
      rpInitiatedLogout: signOutPages(deps),
      // For metadata alone: what is sent goes through the outbox (session-ids.ts, backchannel-logout/).
      backchannelLogout: { enabled: true },
      mTLS: authentication.mTLS,
      ...protocolFeatures(deps),
      resourceIndicators: { enabled: true, ...resources },
    },
    discovery: ownMetadata(deps),
    renderError: (ctx, out, error) => showError(ctx, { error, code: out.error }, deps),
    // Its own guard comes with a dispatcher, which is left unused, as is `redirect`: ours follows none.
    fetch: (url, init) => deps.outgoing(url as string | URL, init as OutgoingRequest | undefined),
  };
}

/** RFC 9728 §4. Only at issuers of the app alone: the shared one names nothing of any app. */
function ownMetadata(deps: ConfigurationDeps): NonNullable<Configuration['discovery']> {
  const { issuer, snapshot, appId } = deps;
  if (issuer === 'shared') return {};
  const { dynamic_registration: registration, client_id_metadata_documents: documents } =
    snapshot.app.settings;
  const endpoint = `${pagesOrigin(deps.baseUrl, issuer)}/auth/${appId}/clients/register`;
  return {
    protected_resources: identifiersOf(snapshot.apis),
    ...(registration === 'off' ? {} : { registration_endpoint: endpoint }),
    ...(documents ? { client_id_metadata_document_supported: true } : {}),
  };
}

function signOutPages(
  deps: ConfigurationDeps,
): NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']> {
  return {
    enabled: true,
    logoutSource: (ctx, form) => showSignOut(ctx, form, deps),
    postLogoutSuccessSource: (ctx) =>
      deps.pages.signedOut(ctx, { app: deps.snapshot.app, hasStayed: ctx.query['stayed'] === 'yes' }),
  };
}

/** Scopes without an audience of their own. What belongs to an API means something only together with it. */
function plainScopes({ clients, apis }: AppSnapshot): string[] {
  const ofApis = allScopeNames(apis);
  const own = [...clients.values()].flatMap((client) => client.scopes).filter((scope) => !ofApis.has(scope));
  return [...new Set([...standardScopes, ...own])];
}

/** Our answers where the library asks, by what they are about. */
const hooksOf = ({ snapshot, issuerUrl, mtls }: ConfigurationDeps) => ({
  tokens: tokenHooks(snapshot),
  grants: grantHooks(snapshot, issuerUrl),
  clients: clientHooks(snapshot),
  resources: resourceHooks(snapshot, issuerUrl),
  authentication: clientAuthentication(mtls),
});

const interactionConfiguration = ({
  snapshot,
  appId,
  db,
  rootKeys,
}: ConfigurationDeps): Configuration['interactions'] => ({
  policy: interactionRules(snapshot, { db, rootKeys }),
  url: (ctx, { uid }) =>
    `/auth/${appId}/interaction/${uid}${ctx.oidc.prompts.has('create') ? '?prompt=create' : ''}`,
});

function signing({ keys, snapshot }: ConfigurationDeps) {
  return {
    jwks: { keys: keys.map(keyOfProvider) },
    // Of the key that signs: ID tokens, and JWT access tokens that name no other.
    clientDefaults: {
      id_token_signed_response_alg: keys[0]!.algorithm,
      ...signedResponseDefaults(snapshot, keys[0]!.algorithm),
    },
  };
}

function cookieConfiguration(deps: ConfigurationDeps): NonNullable<Configuration['cookies']> {
  return {
    names: { session: sessionCookieName(deps.issuerUrl, deps.appId), ...shortCookies },
    long: sessionCookieOptions,
    short: cookieOptions,
    keys: cookieSigner(deps.rootKeys, deps.appId) as unknown as NonNullable<
      NonNullable<Configuration['cookies']>['keys']
    >,
  };
}

function showError(
  ctx: KoaContextWithOIDC,
  { error, code }: { error: Error; code: string },
  { pages, snapshot }: ConfigurationDeps,
): void {
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  const uiLocales = ctx.oidc?.params?.ui_locales;
  pages.problem(ctx, {
    app: snapshot.app,
    error: error instanceof errors.SessionNotFound ? 'expired' : code,
    status,
    uiLocales: typeof uiLocales === 'string' ? uiLocales : undefined,
  });
}

async function showSignOut(ctx: KoaContextWithOIDC, form: string, deps: ConfigurationDeps): Promise<void> {
  // "Stay" must change nothing: for a client it knows by name the library would end its grant even then.
  Object.assign(ctx.oidc.session!.state!, { clientId: undefined });
  const action = /action="([^"]+)"/.exec(form)?.[1] ?? '';
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(form)?.[1] ?? '';
  const account = await accountFinder(deps.db, deps.snapshot)(ctx, ctx.oidc.session!.accountId!);
  const claims = await account?.claims('userinfo', 'email', {}, []);
  const email = claims?.['email'];
  const uiLocales = ctx.oidc.params?.ui_locales;
  const access = await deps.access.listAppAccess(deps.appId, ctx.oidc.session!.accountId!);
  deps.pages.signOut(ctx, {
    app: deps.snapshot.app,
    action,
    xsrf,
    offline: access.filter((row) => row.is_offline).map((row) => row.client_name),
    userEmail: typeof email === 'string' ? email : undefined,
    uiLocales: typeof uiLocales === 'string' ? uiLocales : undefined,
  });
}
