import { z } from 'zod';

/** How clients authenticate. Those that begin with `client_secret_` need a secret of ours. */
export const authMethods = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const;
export type AuthMethod = (typeof authMethods)[number];

/** Of client assertions. HS256 alone among the symmetric ones: a secret of ours is too short for the others (RFC 7518 §3.2). */
export const assertionAlgorithms = [
  'RS256',
  'PS256',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'HS256',
] as const;

const certificateName = z.string().min(1).max(512).nullable().default(null);

/** Settings of a client about how it authenticates. */
export const clientAuthenticationSettings = {
  /** How it proves at the token endpoint who it is. null: `client_secret_basic` for web and service, `none` for others. */
  token_endpoint_auth_method: z.enum(authMethods).nullable().default(null),
  /** The one algorithm of its assertions. null: any that fits its keys; `client_secret_jwt` always means HS256. */
  token_endpoint_auth_signing_alg: z.enum(assertionAlgorithms).nullable().default(null),
  /** Its public keys (RFC 7517), for assertions and self-signed certificates (`x5c`). At most ten, 16 kB together. */
  jwks: z
    .strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(10) })
    .nullable()
    .default(null),
  /** Where its public keys are published instead: https. Fetched when needed, kept as its answer allows. */
  jwks_uri: z.string().max(2048).nullable().default(null),
  /** For `tls_client_auth`, exactly one of these five: what its certificate has to say (RFC 8705 §2.1.2). */
  tls_client_auth_subject_dn: certificateName,
  tls_client_auth_san_dns: certificateName,
  tls_client_auth_san_uri: certificateName,
  tls_client_auth_san_ip: certificateName,
  tls_client_auth_san_email: certificateName,
  /** Its tokens work only with the certificate they were issued under (RFC 8705 §3). */
  tls_client_certificate_bound_access_tokens: z.boolean().default(false),
};
