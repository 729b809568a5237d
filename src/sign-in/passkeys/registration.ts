import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import { z } from 'zod';
import type { AppSettings } from '../../apps/app.ts';
import type { Passkey } from '../../users/passkeys/passkey.ts';
import { leadsToRoot } from './attestation-roots.ts';
import { CHALLENGE_SECONDS } from './challenge.ts';
import { attestationNotAllowed, passkeyRefused } from './errors.ts';
import type { RelyingParty } from './relying-party.ts';

// RFC 9053 §2, RFC 8812 §2.
const [ES256, EDDSA, RS256] = [-7, -8, -257];

/**
 * What a new passkey may sign with, best first. Written down rather than the library's default, which depends on what
 * this machine's OpenSSL can verify: a passkey made here must work on every other machine.
 */
const ALGORITHMS = [ES256, EDDSA, RS256];

/** Half of what a server weighs, and many have no passkeys: loaded by the first. */
const webAuthn = () => import('@simplewebauthn/server');

export type NewcomerOptions = {
  at: RelyingParty;
  challenge: Buffer<ArrayBuffer>;
  /** base64url */
  handle: string;
  person: { email: string; name: string | undefined };
  app: { name: string; settings: Pick<AppSettings, 'passkey_attestation'> };
  /** That the user has already, at any host. */
  existing: readonly Passkey[];
};

/** What a browser is given to make a passkey (WebAuthn L3 §5.4). */
export async function creationOptions(
  wanted: NewcomerOptions,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { at, app, person, existing } = wanted;
  const { generateRegistrationOptions } = await webAuthn();
  return generateRegistrationOptions({
    rpName: app.name,
    rpID: at.rpId,
    // The browser's picker lists every passkey of a host, whichever app it is for: each says so itself.
    userName: `${person.email} · ${app.name}`,
    userDisplayName: `${person.name ?? person.email} · ${app.name}`,
    userID: new Uint8Array(Buffer.from(wanted.handle, 'base64url')),
    challenge: wanted.challenge,
    timeout: CHALLENGE_SECONDS * 1000,
    // The library's word for what it knows; the browser knows one more.
    attestationType: app.settings.passkey_attestation,
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: existing
      .filter(({ rpId }) => rpId === at.rpId)
      .map(({ credentialId, transports }) => ({ id: credentialId, transports })),
  });
}

const bytes = z
  .string()
  .min(1)
  .regex(/^[A-Za-z0-9_-]+$/);

/** WebAuthn L3 §5.1.3. */
const attestationSchema = z.object({
  id: bytes.max(1400),
  rawId: bytes.max(1400),
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: bytes.max(8192),
    attestationObject: bytes.max(100_000),
    transports: z
      .array(z.string().regex(/^[a-z-]{1,32}$/))
      .max(10)
      .catch([]),
  }),
});
type Attestation = z.output<typeof attestationSchema> & { challenge: string };

const clientDataSchema = z.object({ challenge: bytes, crossOrigin: z.boolean().optional() });

/** What a form brought. Problem `passkeys.refused` for what no browser sends. */
export function readAttestation(text: string | undefined): Attestation {
  try {
    const attestation = attestationSchema.parse(JSON.parse(text ?? ''));
    const clientData = Buffer.from(attestation.response.clientDataJSON, 'base64url').toString();
    const { challenge, crossOrigin } = clientDataSchema.parse(JSON.parse(clientData));
    if (crossOrigin === true) throw new Error('made in a frame');
    return { ...attestation, challenge };
  } catch (cause) {
    throw passkeyRefused(cause);
  }
}

export type Made = Pick<
  Passkey,
  'credentialId' | 'rpId' | 'aaguid' | 'transports' | 'backupEligible' | 'backedUp' | 'format'
> & {
  publicKey: Uint8Array;
  counter: number;
};

/**
 * Checks what WebAuthn L3 §7.1 asks for, all but that the challenge is ours and new and the credential unknown. Problem
 * `passkeys.refused`, or `passkeys.attestation_not_allowed` where the app is particular about authenticators.
 */
export async function judgeAttestation(
  { challenge, ...attestation }: Attestation,
  at: RelyingParty,
  settings: Pick<
    AppSettings,
    'passkey_attestation' | 'passkey_attestation_formats' | 'passkey_attestation_roots'
  >,
): Promise<Made> {
  const info = await verified(attestation, challenge, at);
  if (settings.passkey_attestation !== 'none') {
    const isAllowed = settings.passkey_attestation_formats.some((format) => format === info.fmt);
    const roots = settings.passkey_attestation_roots;
    if (!isAllowed || (roots.length > 0 && !leadsToRoot(await certificatesIn(info.attestationObject), roots)))
      throw attestationNotAllowed();
  }
  return {
    credentialId: info.credential.id,
    publicKey: info.credential.publicKey,
    counter: info.credential.counter,
    rpId: at.rpId,
    aaguid: info.aaguid,
    transports: attestation.response.transports,
    backupEligible: info.credentialDeviceType === 'multiDevice',
    backedUp: info.credentialBackedUp,
    format: info.fmt,
  };
}

async function certificatesIn(attestationObject: Uint8Array<ArrayBuffer>): Promise<readonly Uint8Array[]> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers');
  return decodeAttestationObject(attestationObject).get('attStmt').get('x5c') ?? [];
}

async function verified(
  attestation: Omit<Attestation, 'challenge'>,
  challenge: string,
  { origin, rpId }: RelyingParty,
) {
  const { verifyRegistrationResponse } = await webAuthn();
  try {
    const result = await verifyRegistrationResponse({
      response: { ...attestation, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: rpId,
      expectedType: 'webauthn.create',
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!result.verified) throw new Error('the attestation statement does not hold');
    // The id in the signed part decides, not the one beside it.
    if (result.registrationInfo.credential.id !== attestation.id) throw new Error('two ids');
    return result.registrationInfo;
  } catch (cause) {
    throw passkeyRefused(cause);
  }
}
