import { X509Certificate } from 'node:crypto';
import { z } from 'zod';

/** What an authenticator may say about itself, in the words of the registry (WebAuthn L3 §8). */
export const attestationFormats = ['packed', 'tpm', 'android-key', 'apple', 'fido-u2f', 'none'] as const;

const hostName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const isWebOrigin = (text: string): boolean =>
  /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;

function isCertificate(text: string): boolean {
  try {
    return (
      /^-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*$/.test(text) &&
      !!new X509Certificate(text)
    );
  } catch {
    return false;
  }
}

/** Settings of an app about passkeys. */
export const passkeySettings = {
  /**
   * What new passkeys have to say about the device they are on. `direct` and `enterprise` ask, and accept only
   * `passkey_attestation_formats`; most password managers say nothing and are then refused.
   */
  passkey_attestation: z.enum(['none', 'direct', 'enterprise']).default('none'),
  passkey_attestation_formats: z
    .array(z.enum(attestationFormats))
    .min(1)
    .max(attestationFormats.length)
    .default(['packed', 'tpm', 'android-key', 'apple']),
  /**
   * Certificates, as PEM, that those of a statement have to lead to. Statements without certificates are then refused
   * too. []: what a statement says is taken for what it is, whoever made it.
   */
  passkey_attestation_roots: z
    .array(z.string().max(8192).refine(isCertificate, 'must be one certificate, as PEM'))
    .max(50)
    .default([]),
  /**
   * Which host passkeys are tied to: that of the app's pages or a domain above it. null: that of the pages. Existing
   * passkeys work only with the one that they were made for.
   */
  passkey_rp_id: z.string().regex(hostName, 'must be a host name, in lower case').nullable().default(null),
  /**
   * Further origins where the app's pages may use its passkeys (WebAuthn L3 §5.11), published at the app's own domain;
   * without one it has no effect.
   */
  passkey_related_origins: z
    .array(z.string().max(300).refine(isWebOrigin, 'must be an origin, such as https://example.com'))
    .max(20)
    .default([]),
};
