import { z } from 'zod';

/** Settings of an app about the second proof of a sign-in. */
export const secondFactorSettings = {
  /**
   * Whether people are asked for a second proof: never; if they have set one up; everybody, setting one up while they sign
   * in. With `off` a passkey is still two factors (`acr` 2fa), and a request that insists on two is met by signing in with one.
   */
  second_factor: z.enum(['off', 'optional', 'required']).default('optional'),
  /** Where it is required: how many days somebody may put off setting one up, counted from when they were first asked. */
  second_factor_grace_days: z.int().min(0).max(30).default(0),
  /** For how many days a browser may be let off the second proof, if the person ticks the box. 0: never. */
  trusted_device_days: z.int().min(0).max(90).default(30),
};
