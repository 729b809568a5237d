import { z } from 'zod';

/** Grants as the hook calls them. */
export const hookGrantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'device_code',
  'token_exchange',
] as const;

/** What is asked before an app's tokens are issued. */
export type TokenHook = {
  url: string;
  timeoutMs: number;
  /** undefined: every one, also those invented later. */
  grantTypes: readonly string[] | undefined;
  /** Newest first; the request is signed with all of them. Never leave the process, never logged. */
  secrets: readonly HookSecret[];
  createdAt: Date;
  updatedAt: Date;
};

export type HookSecret = { value: string; expiresAt: Date | undefined };

const url = z
  .string()
  .min(1)
  .max(2048)
  .meta({ description: 'https on the public internet, or a host in OUTBOUND_ALLOWED_HOSTS.' });
const timeout = z.int().min(100).max(3000).meta({ description: 'Milliseconds for the whole of the call.' });
const grantTypes = z
  .array(z.enum(hookGrantTypes))
  .min(1)
  .max(hookGrantTypes.length)
  .nullable()
  .meta({ description: 'Which grants it is asked about; null: all.' });

export const newTokenHookSchema = z.strictObject({
  url,
  timeout_ms: timeout.default(1000),
  grant_types: grantTypes.default(null),
});
export type NewTokenHookInput = z.output<typeof newTokenHookSchema>;

export const tokenHookChangeSchema = z.strictObject({
  url: url.optional(),
  timeout_ms: timeout.optional(),
  grant_types: grantTypes.optional(),
});
export type TokenHookChangeInput = z.output<typeof tokenHookChangeSchema>;
