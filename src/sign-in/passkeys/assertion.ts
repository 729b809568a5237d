import { generateKeyPairSync } from 'node:crypto';
import { z } from 'zod';
import { sameSecret } from '../../kernel/secret.ts';
import type { PasskeyKey } from '../../users/passkeys/passkey.ts';
import type { RelyingParty } from './relying-party.ts';

const bytes = z
  .string()
  .min(1)
  .max(8192)
  .regex(/^[A-Za-z0-9_-]+$/);

/** WebAuthn L3 §5.1.8, as far as it is read. Only discoverable credentials come here, and those name their user. */
const assertionSchema = z.object({
  id: bytes.max(1400),
  rawId: bytes.max(1400),
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: bytes,
    authenticatorData: bytes,
    signature: bytes,
    userHandle: bytes.max(100),
  }),
});
export type Assertion = z.output<typeof assertionSchema>;

const clientDataSchema = z.object({ challenge: bytes, crossOrigin: z.boolean().optional() });

/** What a form brought, or undefined for what no browser sends. Nothing of it is proved. */
export function readAssertion(text: string | undefined): (Assertion & { challenge: string }) | undefined {
  const assertion = assertionSchema.safeParse(asJson(text));
  if (!assertion.success) return undefined;
  const { clientDataJSON } = assertion.data.response;
  const client = clientDataSchema.safeParse(asJson(Buffer.from(clientDataJSON, 'base64url').toString()));
  // A page of ours is in nobody's frame, and the library lets `crossOrigin` alone pass.
  if (!client.success || client.data.crossOrigin === true) return undefined;
  return { ...assertion.data, challenge: client.data.challenge };
}

export type Verdict =
  | { ok: true; counter: number; backedUp: boolean }
  | { ok: false; reason: 'unknown' | 'invalid' | 'counter' };

/**
 * Checks what WebAuthn L3 §7.2 asks for, all but that the challenge is ours and new. A credential that this app does
 * not know (another app's, perhaps) costs the same work as one that it knows and ends in the same place.
 */
export async function judgeAssertion(
  assertion: Assertion & { challenge: string },
  at: RelyingParty,
  known: PasskeyKey | undefined,
): Promise<Verdict> {
  const signed = await checked(assertion, at, known ?? decoy);
  if (!known) return { ok: false, reason: 'unknown' };
  if (!signed || !sameSecret(assertion.response.userHandle, known.handle))
    return { ok: false, reason: 'invalid' };
  // Settled when the credential was made (§7.2, step 19): one that says otherwise now is another one.
  if (signed.eligible !== known.backupEligible) return { ok: false, reason: 'invalid' };
  const { counter, backedUp } = signed;
  // Of two copies of one authenticator the one that is behind shows itself here (§6.1.1).
  const isBehind = known.counter > 0 && counter <= known.counter;
  return isBehind ? { ok: false, reason: 'counter' } : { ok: true, counter, backedUp };
}

type Checked = Pick<PasskeyKey, 'publicKey' | 'rpId'>;

async function checked(
  { challenge, ...assertion }: Assertion & { challenge: string },
  { origin, rpId }: RelyingParty,
  { publicKey }: Checked,
): Promise<{ counter: number; backedUp: boolean; eligible: boolean } | undefined> {
  // Loaded by the first.
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...assertion, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: rpId,
      expectedType: 'webauthn.get',
      requireUserVerification: true,
      // The library would look at the counter before the signature: anyone could then raise a false alarm.
      credential: { id: assertion.id, publicKey, counter: 0 },
    });
    if (!verified) return undefined;
    return {
      counter: authenticationInfo.newCounter,
      backedUp: authenticationInfo.credentialBackedUp,
      eligible: authenticationInfo.credentialDeviceType === 'multiDevice',
    };
  } catch {
    // What browsers send and what attackers send fails alike.
    return undefined;
  }
}

/** Stands in for a credential that does not exist. Nobody has its private key. */
const decoy: Checked = { publicKey: coseOfNobody(), rpId: '' };

/** An EC2 key on P-256 for ES256 (RFC 9052 §7, RFC 9053 §7.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}. */
function coseOfNobody(): Uint8Array<ArrayBuffer> {
  const { x, y } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const head = Buffer.from('a5010203262001215820', 'hex');
  const between = Buffer.from('225820', 'hex');
  return new Uint8Array(
    Buffer.concat([head, Buffer.from(x!, 'base64url'), between, Buffer.from(y!, 'base64url')]),
  );
}

function asJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
