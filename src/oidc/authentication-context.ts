/**
 * How surely a person was recognized (`acr`, OIDC Core §2): one kind of proof, or two different ones. Nothing is said of
 * how good each is: a code by e-mail is a factor here, and would be none in NIST's levels, so those names are not used.
 */
export const acr = { oneFactor: 'urn:latchkey:acr:1fa', twoFactors: 'urn:latchkey:acr:2fa' } as const;

/** What people of any app can reach today: no method is a second factor yet. */
export const reachableAcrs: readonly string[] = [acr.oneFactor];

/** Follows from what was proved (RFC 8176), so that no method can claim more. */
export const acrOf = (amr: readonly string[]): string =>
  amr.includes('mfa') ? acr.twoFactors : acr.oneFactor;
