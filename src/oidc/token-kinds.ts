import { decodeProtectedHeader } from 'jose';
import type { Provider } from 'oidc-provider';

type IdTokenClass = { validate(jwt: string, client: object): Promise<unknown> };

/**
 * Only an ID token is an `id_token_hint`. The library asks for signature, issuer and audience, which a logout token and
 * an access token of the app's first client have too (RFC 8725 §3.11: told apart by `typ`).
 */
export function acceptOnlyIdTokensAsHints(provider: Provider): void {
  const model = provider.IdToken as unknown as IdTokenClass;
  const validate = model.validate.bind(model);
  Object.assign(model, {
    async validate(jwt: string, client: object): Promise<unknown> {
      const { typ } = decodeProtectedHeader(jwt);
      if (typ !== undefined && typ !== 'JWT') throw new Error('not an ID token');
      return validate(jwt, client);
    },
  });
}
