import { z } from 'zod';

/** Settings of an app about the passwords that people choose. */
export const passwordSettings = {
  /** Characters at least. null: 15, or 8 where `second_factor` is `required` (NIST SP 800-63B-4 §3.1.1.1). */
  password_min_length: z.int().min(8).max(64).nullable().default(null),
  /**
   * Whether passwords from known breaches are refused: by BREACHED_PASSWORDS_FILE, if there is one (`offline`); by asking
   * BREACHED_PASSWORDS_URL with the first five digits of a digest (`range_api`); not at all (`off`).
   */
  breached_passwords: z.enum(['off', 'offline', 'range_api']).default('offline'),
};

export function passwordMinLength(settings: {
  password_min_length: number | null;
  second_factor: 'off' | 'optional' | 'required';
}): number {
  return settings.password_min_length ?? (settings.second_factor === 'required' ? 8 : 15);
}
