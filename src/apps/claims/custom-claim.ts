import { z } from 'zod';
import { claimName } from './names.ts';

/** One claim of an app's own, as on the wire. */
export const customClaimSchema = z.strictObject({
  name: claimName,
  /** Where its value comes from: `profile.birthdate`, `metadata.plan.name`. Absent there, absent in the token. */
  from: z
    .string()
    .max(300)
    .regex(/^(profile|metadata)(\.[A-Za-z0-9_-]{1,64}){1,8}$/, 'must be profile.… or metadata.…'),
  /** The scope that gives it, a standard one or one of the client's own. null: given without any. */
  scope: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'must be one scope')
    .nullable()
    .default(null),
  in: z
    .array(z.enum(['id_token', 'userinfo', 'access_token']))
    .min(1)
    .default(['id_token', 'userinfo']),
});
export type CustomClaim = z.output<typeof customClaimSchema>;

export const customClaimsSchema = z
  .array(customClaimSchema)
  .max(50)
  .refine((claims) => new Set(claims.map(({ name }) => name)).size === claims.length, 'names a claim twice');
