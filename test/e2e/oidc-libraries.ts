import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';

export type LibraryName = 'openid-client' | 'oauth4webapi';

export type Tokens = {
  idToken: string;
  accessToken: string;
  refreshToken: string;
  claims: Record<string, unknown>;
};

/** What an app remembers between sending somebody away and their return. */
export type Departure = { url: URL; state: string; nonce: string; verifier: string };

/** What a relying party does with a client library, whichever it is. Every call refuses what the standards tell it to. */
export type Library = {
  depart(parameters: Record<string, string>): Promise<Departure>;
  arrive(callback: URL, departure: Departure): Promise<Tokens>;
  refresh(tokens: Tokens): Promise<Tokens>;
  userinfo(tokens: Tokens): Promise<Record<string, unknown>>;
  signOutUrl(tokens: Tokens, returnTo: string): URL;
};

export type Registration = { issuer: string; clientId: string; secret: string; redirectUri: string };

const SCOPE = 'openid email profile offline_access';

export function connect(library: LibraryName, registration: Registration): Promise<Library> {
  return library === 'openid-client' ? withOpenidClient(registration) : withOauth4webapi(registration);
}

async function withOpenidClient({ issuer, clientId, secret, redirectUri }: Registration): Promise<Library> {
  const server = await oidc.discovery(new URL(issuer), clientId, secret, undefined, {
    execute: [oidc.allowInsecureRequests],
  });
  const tokensOf = (
    answer: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
    before?: Tokens,
  ): Tokens => ({
    idToken: answer.id_token ?? before!.idToken,
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token!,
    claims: answer.claims() ?? before!.claims,
  });
  return {
    async depart(parameters) {
      const proofs = {
        state: oidc.randomState(),
        nonce: oidc.randomNonce(),
        verifier: oidc.randomPKCECodeVerifier(),
      };
      const url = oidc.buildAuthorizationUrl(server, {
        ...requestOf(redirectUri, proofs),
        code_challenge: await oidc.calculatePKCECodeChallenge(proofs.verifier),
        ...parameters,
      });
      return { url, ...proofs };
    },
    async arrive(callback, { state, nonce, verifier }) {
      const checks = {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      };
      return tokensOf(await oidc.authorizationCodeGrant(server, callback, checks));
    },
    refresh: async (tokens) => tokensOf(await oidc.refreshTokenGrant(server, tokens.refreshToken), tokens),
    userinfo: (tokens) => oidc.fetchUserInfo(server, tokens.accessToken, String(tokens.claims['sub'])),
    signOutUrl: (tokens, returnTo) =>
      oidc.buildEndSessionUrl(server, { id_token_hint: tokens.idToken, post_logout_redirect_uri: returnTo }),
  };
}

async function withOauth4webapi({ issuer, clientId, secret, redirectUri }: Registration): Promise<Library> {
  const http = { [oauth.allowInsecureRequests]: true };
  const found = await oauth.discoveryRequest(new URL(issuer), http);
  const server = await oauth.processDiscoveryResponse(new URL(issuer), found);
  const client: oauth.Client = { client_id: clientId };
  const auth = oauth.ClientSecretBasic(secret);
  const tokensOf = (answer: oauth.TokenEndpointResponse, before?: Tokens): Tokens => ({
    idToken: answer.id_token ?? before!.idToken,
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token!,
    claims: oauth.getValidatedIdTokenClaims(answer) ?? before!.claims,
  });
  return {
    async depart(parameters) {
      const proofs = {
        state: oauth.generateRandomState(),
        nonce: oauth.generateRandomNonce(),
        verifier: oauth.generateRandomCodeVerifier(),
      };
      const url = new URL(server.authorization_endpoint!);
      url.search = new URLSearchParams({
        client_id: clientId,
        response_type: 'code',
        ...requestOf(redirectUri, proofs),
        code_challenge: await oauth.calculatePKCECodeChallenge(proofs.verifier),
        ...parameters,
      }).toString();
      return { url, ...proofs };
    },
    async arrive(callback, { state, nonce, verifier }) {
      const answer = oauth.validateAuthResponse(server, client, callback, state);
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        auth,
        answer,
        redirectUri,
        verifier,
        http,
      );
      const checks = { expectedNonce: nonce, requireIdToken: true };
      const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, checks);
      await oauth.validateApplicationLevelSignature(server, response, http);
      return tokensOf(tokens);
    },
    async refresh(tokens) {
      const response = await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refreshToken, http);
      return tokensOf(await oauth.processRefreshTokenResponse(server, client, response), tokens);
    },
    async userinfo(tokens) {
      const response = await oauth.userInfoRequest(server, client, tokens.accessToken, http);
      return oauth.processUserInfoResponse(server, client, String(tokens.claims['sub']), response);
    },
    signOutUrl(tokens, returnTo) {
      const url = new URL(server.end_session_endpoint!);
      url.search = new URLSearchParams({
        id_token_hint: tokens.idToken,
        post_logout_redirect_uri: returnTo,
      }).toString();
      return url;
    },
  };
}

const requestOf = (redirectUri: string, { state, nonce }: Pick<Departure, 'state' | 'nonce'>) => ({
  redirect_uri: redirectUri,
  scope: SCOPE,
  state,
  nonce,
  code_challenge_method: 'S256',
});
