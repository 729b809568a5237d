import { passkeyFactor } from '../passkeys/factor.ts';
import { recoveryCodes } from '../recovery-codes/factor.ts';
import { totp } from '../totp/factor.ts';
import type { SecondFactor } from './second-factor.ts';

/** One line each, the one that is asked for first on top. What a user has of them: users/factors/enrolled.ts. */
export const secondFactors: readonly SecondFactor[] = [totp, passkeyFactor, recoveryCodes];
