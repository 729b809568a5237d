import { createHash, randomBytes } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { type IssuerKind, protocolRoutes } from './issuers.ts';

type At = { appId: string; issuer: IssuerKind; issuerUrl: string };

/** Where the account pages beside an issuer are: at a domain, too, below the path that all pages of the app have. */
export const accountRoot = ({ appId, issuer, issuerUrl }: At): string =>
  `${issuer === 'own' ? issuerUrl : `${issuerUrl}/auth/${appId}`}/account`;

/** Where an issuer of the app alone sends a browser that signed in to see its account pages. */
export const accountReturnUrl = (at: At): string => `${accountRoot(at)}/signed-in`;

type ClientModel = { clientId: string; redirectUriAllowed(uri: string): boolean };

const pushing = new WeakMap<ClientModel, boolean>();
const signing = new WeakMap<ClientModel, boolean>();

/**
 * The app's first client may lead to the account pages of its own app, at an issuer of that app alone. Not a registered redirect URI:
 * one that is added to a single one would forbid leaving that out.
 */
export function allowAccountPages(provider: Provider, at: At): void {
  if (at.issuer === 'shared') return;
  const model = provider.Client.prototype as unknown as ClientModel;
  const { redirectUriAllowed } = model;
  const ours = accountReturnUrl(at);
  Object.assign(model, {
    redirectUriAllowed(this: ClientModel, uri: string): boolean {
      return (uri === ours && this.clientId === at.appId) || redirectUriAllowed.call(this, uri);
    },
  });
  // We make that request, not the client: it is neither pushed nor signed, and what it yields leads nowhere but here.
  const isOurs = (client: ClientModel): boolean =>
    client.clientId === at.appId &&
    Provider.ctx?.oidc?.route === 'authorization' &&
    Provider.ctx.oidc.params?.['redirect_uri'] === ours;
  for (const [name, wanted] of [
    ['requirePushedAuthorizationRequests', pushing],
    ['requireSignedRequestObject', signing],
  ] as const)
    Object.defineProperty(model, name, {
      get(this: ClientModel): boolean {
        return wanted.get(this) === true && !isOurs(this);
      },
      set(this: ClientModel, value: boolean) {
        wanted.set(this, value);
      },
    });
}

export type AccountSignIn = At & {
  /** Comes back as it is. */
  state: string;
  uiLocales?: string | undefined;
  /** Seconds since the person last signed in, at most. */
  maxAgeSeconds?: number | undefined;
  /** How surely the person has to be recognized, if they can be. */
  acrValues?: string | undefined;
};

/**
 * An ordinary authorization request. Nobody redeems its code: what it is for is the session, and the challenge is made of
 * a verifier that is thrown away, so nobody can.
 */
export function accountSignInUrl(wanted: AccountSignIn): string {
  const query = new URLSearchParams({
    client_id: wanted.appId,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: accountReturnUrl(wanted),
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    state: wanted.state,
    ...(wanted.uiLocales === undefined ? {} : { ui_locales: wanted.uiLocales }),
    ...(wanted.acrValues === undefined ? {} : { acr_values: wanted.acrValues }),
    ...(wanted.maxAgeSeconds === undefined ? {} : { max_age: String(wanted.maxAgeSeconds) }),
  });
  return `${wanted.issuerUrl}${protocolRoutes.authorization}?${query}`;
}
