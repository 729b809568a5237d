import { type Configuration, errors } from 'oidc-provider';
import type { AppSnapshot, Client } from '../../apps/app.ts';
import type { Feature } from './feature.ts';

/** Of request objects. Asymmetric only: a secret is shared with us, so it proves nothing to anyone else. */
export const requestObjectAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] as NonNullable<
  NonNullable<Configuration['enabledJWA']>['requestObjectSigningAlgValues']
>;

const LONGEST_SECONDS = 3600;
/** FAPI 2.0 §5.3.2.1: up to ten seconds ahead is another clock, more than sixty is nonsense. */
const AHEAD_SECONDS = 15;

/** Signed requests, by value (RFC 9101). A client that has to sign can, whatever the app says about the others. */
export function requestObjects({ app, clients }: AppSnapshot): Feature<'requestObjects'> {
  const ofSomeone = [...clients.values()].some((client) => client.settings.require_signed_request_object);
  return {
    requestObjects: {
      enabled: app.settings.features.request_objects || ofSomeone,
      requireSignedRequestObject: false,
      // The library has compared `iss`, `aud`, `exp` and `nbf` where they are there; here they have to be.
      assertJwtClaimsAndHeader(ctx, claims, header) {
        const { exp, iat, nbf } = claims as { exp?: unknown; iat?: unknown; nbf?: unknown };
        const now = Math.floor(Date.now() / 1000);
        const fail = (why: string): never => {
          throw new errors.InvalidRequestObject(why);
        };
        if (typeof exp !== 'number') return fail('Request Object has no exp');
        if (exp > now + LONGEST_SECONDS + AHEAD_SECONDS) fail('Request Object lives for more than an hour');
        if (typeof iat === 'number' && iat > now + AHEAD_SECONDS)
          fail('Request Object was issued in the future');
        // RFC 7515 §4.1.11: what has to be understood and is not. RFC 7797 §7: a JWT is always encoded.
        if (header['crit'] !== undefined) fail('Request Object has an unknown critical header');
        // RFC 8725 §3.11: a JWT made for something else is no request.
        const typ = header['typ'];
        if (typ !== undefined && !/^(jwt|(application\/)?oauth-authz-req\+jwt)$/i.test(String(typ)))
          fail('the JWT is of another type');
        // FAPI 2.0 Message Signing §5.3.1.
        if (ctx.oidc.isFapi('2.0') && (typeof nbf !== 'number' || nbf < now - LONGEST_SECONDS))
          fail('Request Object has no nbf of the last hour');
        return Promise.resolve();
      },
    },
  };
}

export const requestObjectMetadata = (client: Client): object =>
  client.settings.require_signed_request_object ? { require_signed_request_object: true } : {};
