import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createHash, randomUUID } from 'node:crypto';

export type ProofKey = { privateKey: CryptoKey; publicJwk: object };

export async function proofKey(alg = 'ES256'): Promise<ProofKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, publicJwk: await exportJWK(publicKey) };
}

export type ProofParts = {
  htm?: string;
  htu?: string;
  iat?: number;
  jti?: string;
  nonce?: string;
  typ?: string;
  alg?: string;
  /** The access token it goes with. */
  token?: string;
};

/** A proof (RFC 9449 §4.2) with any of its parts as the test wants them. */
export function proof(key: ProofKey, parts: ProofParts): Promise<string> {
  const { token, typ = 'dpop+jwt', alg = 'ES256', ...claims } = parts;
  return new SignJWT({
    htm: 'POST',
    iat: Math.floor(Date.now() / 1000),
    jti: randomUUID(),
    ...claims,
    ...(token ? { ath: createHash('sha256').update(token).digest('base64url') } : {}),
  })
    .setProtectedHeader({ typ, alg, jwk: key.publicJwk })
    .sign(key.privateKey);
}
