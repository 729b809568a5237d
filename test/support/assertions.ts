import { randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export type SigningPair = { privateKey: CryptoKey; publicJwk: JWK };

export async function makePair(algorithm: string, kid = 'k1'): Promise<SigningPair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, use: 'sig' } };
}

export type AssertionParts = {
  clientId: string;
  audience: unknown;
  key: CryptoKey | Uint8Array;
  alg?: string;
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
};

/** A client assertion (RFC 7523 §3) that lives a minute; `claims` change or, with undefined, leave out. */
export function makeAssertion(parts: AssertionParts): Promise<string> {
  const { clientId, audience, key, alg = 'ES256', header, claims } = parts;
  const now = Math.floor(Date.now() / 1000);
  const all = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    ...claims,
  };
  return new SignJWT(JSON.parse(JSON.stringify(all)) as Record<string, unknown>)
    .setProtectedHeader({ alg, kid: 'k1', ...header })
    .sign(key);
}

/** `client_credentials` with an assertion, as form fields. */
export const withAssertion = (assertion: string, more: Record<string, string> = {}): URLSearchParams =>
  new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
    ...more,
  });
