import type { AppSettings } from '../apps/app.ts';

/**
 * How surely a person was recognized (`acr`, OIDC Core §2): one kind of proof, or two different ones. Nothing is said of
 * how good each is: a code by e-mail is a factor here, and would be none in NIST's levels, so those names are not used.
 */
export const acr = { oneFactor: 'urn:latchkey:acr:1fa', twoFactors: 'urn:latchkey:acr:2fa' } as const;

/** What people of any app may reach. */
export const knownAcrs: readonly string[] = [acr.oneFactor, acr.twoFactors];

/** What people of this app can reach. A passkey is two factors by itself, whatever is asked for beside it. */
export const reachableAcrs = ({
  second_factor: policy,
  methods,
}: Pick<AppSettings, 'second_factor' | 'methods'>): readonly string[] =>
  policy === 'off' && !methods.passkey ? [acr.oneFactor] : knownAcrs;

/** Follows from what was proved (RFC 8176), so that no method can claim more. */
export const acrOf = (amr: readonly string[]): string =>
  amr.includes('mfa') ? acr.twoFactors : acr.oneFactor;

type AcrRequest = { essential?: unknown; value?: unknown; values?: unknown };

/**
 * Whether a request wants two factors: it can not go on without (`essential`, OIDC Core §5.5.1.1), it would rather have
 * them (`acr_values`), or it says nothing of it. One factor that is named too is enough. Only of a request that the
 * library has accepted.
 */
export function twoFactorsAsked(params: Readonly<Record<string, unknown>>): 'essential' | 'voluntary' | 'no' {
  const claim = acrClaimOf(params['claims']);
  const named = claim ? [claim.value, ...(Array.isArray(claim.values) ? claim.values : [])] : [];
  if (claim?.essential === true && isTwoFactors(named)) return 'essential';
  const values = typeof params['acr_values'] === 'string' ? params['acr_values'].split(' ') : [];
  return isTwoFactors(values) || isTwoFactors(named) ? 'voluntary' : 'no';
}

const isTwoFactors = (named: readonly unknown[]): boolean =>
  named.includes(acr.twoFactors) && !named.includes(acr.oneFactor);

function acrClaimOf(claims: unknown): AcrRequest | undefined {
  if (typeof claims !== 'string') return undefined;
  try {
    const asked = JSON.parse(claims) as { id_token?: { acr?: AcrRequest | null } } | null;
    return asked?.id_token?.acr ?? undefined;
  } catch {
    return undefined;
  }
}
