import type { AppSnapshot } from '../../apps/app.ts';
import type { Feature } from './feature.ts';

/** Signed authorization responses (JARM) and signed introspection (RFC 9701). Nothing is encrypted. */
export function signedResponses({ app }: AppSnapshot): Feature<'jwtResponseModes' | 'jwtIntrospection'> {
  const { jwt_responses: jarm, jwt_introspection: introspection } = app.settings.features;
  return { jwtResponseModes: { enabled: jarm }, jwtIntrospection: { enabled: introspection } };
}

/** Both are signed as ID tokens are, by the key of the issuer. */
export function signedResponseDefaults({ app }: AppSnapshot, algorithm: string): Record<string, string> {
  const { jwt_responses: jarm, jwt_introspection: introspection } = app.settings.features;
  return {
    ...(jarm ? { authorization_signed_response_alg: algorithm } : {}),
    ...(introspection ? { introspection_signed_response_alg: algorithm } : {}),
  };
}
