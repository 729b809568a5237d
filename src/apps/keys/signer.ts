/** What tokens may be signed with (RFC 7518 §3, RFC 8037). RSA keys have 2048 bits, EC keys are on P-256, EdDSA is Ed25519. */
export const signingAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export const isSigningAlgorithm = (name: string): name is SigningAlgorithm =>
  (signingAlgorithms as readonly string[]).includes(name);

/** A private half that can be used and, where it lives elsewhere, not be seen. */
export type Signer = {
  /** The signature as JWS has it (RFC 7515; ECDSA as R ‖ S). Throws Problem `store.unavailable` when it can not sign now. */
  sign(data: Uint8Array): Promise<Uint8Array>;
};

export type NewKeyPair = {
  /** Without kid, alg and use. */
  publicJwk: Record<string, unknown>;
  /** What the vault needs to find the private half again: for ours the JWK itself, for a KMS its name there. Kept sealed. */
  handle: Record<string, unknown>;
};

/** Where private halves live. */
export type KeyVault = {
  /** Throws Problem `store.unavailable` when it can not be reached. */
  generate(algorithm: SigningAlgorithm): Promise<NewKeyPair>;
  /** Touches nothing until something is to be signed. */
  open(key: {
    handle: Record<string, unknown>;
    publicJwk: Record<string, unknown>;
    algorithm: SigningAlgorithm;
  }): Signer;
};
