/** A WebAuthn credential of one user of one app. */
export type Passkey = {
  passkeyId: string;
  userId: string;
  /** base64url, as the browser writes it. */
  credentialId: string;
  name: string;
  /** The host that the browser tied it to. */
  rpId: string;
  /** Model of the authenticator, as it says of itself. */
  aaguid: string;
  transports: string[];
  /** Whether it may be copied to other devices of its owner; settled when it is made (WebAuthn L3 §6.1.3). */
  backupEligible: boolean;
  backedUp: boolean;
  /** Format of the attestation that came with it. */
  format: string;
  createdAt: Date;
  lastUsedAt: Date | undefined;
};

/** What an assertion is checked against. */
export type PasskeyKey = Pick<
  Passkey,
  'passkeyId' | 'userId' | 'credentialId' | 'rpId' | 'backupEligible' | 'name'
> & {
  publicKey: Uint8Array<ArrayBuffer>;
  counter: number;
  /** The user's, which the authenticator has to name. */
  handle: string;
};
