import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';

/** A key that one side proves itself with: of its DPoP proofs, and of a client without a secret. */
export type ProvingKey = { privateKey: KeyObject; publicJwk: object };

export function provingKey(): ProvingKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, publicJwk: publicKey.export({ format: 'jwk' }) };
}

/** A proof of possession (RFC 9449 §4.2), good for one request. */
export function dpopProof(
  { privateKey, publicJwk }: ProvingKey,
  at: { method: string; url: string; token?: string | undefined },
): string {
  const ath = at.token && createHash('sha256').update(at.token).digest('base64url');
  const claims = { htm: at.method, htu: at.url, jti: randomUUID(), iat: now(), ...(ath ? { ath } : {}) };
  return jws(privateKey, { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk }, claims);
}

/** How a client without a secret authenticates (RFC 7523 §2.2), as form fields; good for one request. */
export function assertion(
  { privateKey }: ProvingKey,
  { clientId, audience }: { clientId: string; audience: string },
): Record<string, string> {
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    jti: randomUUID(),
    iat: now(),
    exp: now() + 240,
  };
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: jws(privateKey, { alg: 'ES256', kid: 'prover' }, claims),
  };
}

const now = (): number => Math.floor(Date.now() / 1000);

function jws(key: KeyObject, header: object, claims: object): string {
  const signed = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
