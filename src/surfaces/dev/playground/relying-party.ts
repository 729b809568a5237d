import type { Configuration } from 'openid-client';

export type IssuerChoice = 'shared' | 'own';

export type RelyingPartyOptions = {
  baseUrl: string;
  /** The first client of an app, so this is the app_id too. */
  clientId: string;
  clientSecret: string;
};

/** What has to be remembered between leaving for the provider and coming back. */
export type Departure = { issuer: IssuerChoice; state: string; nonce: string; verifier: string };

export type Tokens = {
  issuer: IssuerChoice;
  idToken: string;
  accessToken: string;
  refreshToken: string | undefined;
  subject: string;
};

export type CallResult = { title: string; status: number; body: unknown };

export const SCOPE = 'openid profile email offline_access';
const TIMEOUT_SECONDS = 5;

/** Loaded when the first page is opened: a server in production has no need of it. */
const library = () => import('openid-client');

/** An ordinary OpenID Connect client, as an app would write it. Every call out has a time-out of five seconds. */
export class RelyingParty {
  readonly #options: RelyingPartyOptions;

  constructor(options: RelyingPartyOptions) {
    this.#options = options;
  }

  get clientId(): string {
    return this.#options.clientId;
  }

  get redirectUri(): string {
    return `${this.#options.baseUrl}/dev/playground/callback`;
  }

  issuerUrl(issuer: IssuerChoice): string {
    return issuer === 'shared'
      ? this.#options.baseUrl
      : `${this.#options.baseUrl}/auth/${this.#options.clientId}`;
  }

  async depart(issuer: IssuerChoice): Promise<{ url: URL; departure: Departure }> {
    const oidc = await library();
    const server = await this.#discover(issuer);
    const departure = {
      issuer,
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
    };
    const url = oidc.buildAuthorizationUrl(server, {
      redirect_uri: this.redirectUri,
      scope: SCOPE,
      state: departure.state,
      nonce: departure.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(departure.verifier),
      code_challenge_method: 'S256',
    });
    return { url, departure };
  }

  /** `query` is that of the callback, with its leading question mark. */
  async arrive(query: string, departure: Departure): Promise<Tokens> {
    const oidc = await library();
    const server = await this.#discover(departure.issuer);
    const answer = await oidc.authorizationCodeGrant(server, new URL(this.redirectUri + query), {
      expectedState: departure.state,
      expectedNonce: departure.nonce,
      pkceCodeVerifier: departure.verifier,
      idTokenExpected: true,
    });
    return {
      issuer: departure.issuer,
      idToken: answer.id_token ?? '',
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      subject: answer.claims()?.sub ?? '',
    };
  }

  async refresh(tokens: Tokens): Promise<Tokens> {
    const oidc = await library();
    const answer = await oidc.refreshTokenGrant(
      await this.#discover(tokens.issuer),
      tokens.refreshToken ?? '',
    );
    return {
      ...tokens,
      accessToken: answer.access_token,
      idToken: answer.id_token ?? tokens.idToken,
      refreshToken: answer.refresh_token ?? tokens.refreshToken,
    };
  }

  async userinfo(tokens: Tokens): Promise<CallResult> {
    const oidc = await library();
    const body = await oidc.fetchUserInfo(
      await this.#discover(tokens.issuer),
      tokens.accessToken,
      tokens.subject,
    );
    return { title: 'Userinfo', status: 200, body };
  }

  async introspect(tokens: Tokens): Promise<CallResult> {
    const oidc = await library();
    const body = await oidc.tokenIntrospection(await this.#discover(tokens.issuer), tokens.accessToken);
    return { title: 'Introspection', status: 200, body };
  }

  async signOutUrl(tokens: Tokens): Promise<URL> {
    const oidc = await library();
    return oidc.buildEndSessionUrl(await this.#discover(tokens.issuer), {
      id_token_hint: tokens.idToken,
      post_logout_redirect_uri: `${this.#options.baseUrl}/dev/playground`,
    });
  }

  // Anew each time: this is for people who are changing the very settings it shows.
  async #discover(issuer: IssuerChoice): Promise<Configuration> {
    const oidc = await library();
    const { clientId, clientSecret } = this.#options;
    return oidc.discovery(
      new URL(this.issuerUrl(issuer)),
      clientId,
      undefined,
      oidc.ClientSecretBasic(clientSecret),
      {
        timeout: TIMEOUT_SECONDS,
        // The playground exists on loopback only, where http is all there is.
        execute: [oidc.allowInsecureRequests],
      },
    );
  }
}
