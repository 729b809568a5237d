import { z } from 'zod';

/**
 * Claims that say who issued a token, for whom, to whom and how: nobody but the protocol sets them. The standard claims
 * about a person are among them, because relying parties decide by them who somebody is.
 */
const RESERVED = new Set(
  [
    // RFC 7519 §4.1, RFC 7800, RFC 8693, RFC 9068, RFC 9396, RFC 9449, OpenID Connect Core §2, its logout specifications
    'iss sub aud exp nbf iat jti typ cty alg kid cnf act may_act scope client_id azp nonce auth_time acr amr at_hash',
    'c_hash s_hash sid events sub_id authorization_details active token_type username htm htu ath toe txn vot vtm',
    // Ours
    'app_id gid org_id session_id grant_id userinfo_claims',
    // OpenID Connect Core §5.1
    'name given_name family_name middle_name nickname preferred_username profile picture website email email_verified',
    'gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at',
  ].flatMap((names) => names.split(' ')),
);

/** Whether a claim is the protocol's own, and so neither a setting's nor a hook's to give. */
export const isReservedClaim = (name: string): boolean => RESERVED.has(name);

/** A name for a claim of an app: a plain name or a URL of its own (RFC 7519 §4.2, §4.3). */
export const claimName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_.:/#-]{0,127}$/,
    'must be letters, digits and _ . : / # -, beginning with a letter',
  )
  .refine((name) => !isReservedClaim(name) && !(name in {}), 'is reserved');
