import { z } from 'zod';
import { clientSettingsSchema, clientTypes } from '../../../apps/app.ts';
import { time } from '../apps/wire.ts';

export const clientWire = z.object({
  client_id: z.string(),
  app_id: z.string(),
  name: z.string(),
  type: z.enum(clientTypes),
  confidential: z.boolean().meta({ description: 'Whether it authenticates at all (RFC 6749 §2.1).' }),
  redirect_uris: z.array(z.string()),
  post_logout_redirect_uris: z.array(z.string()),
  allowed_origins: z.array(z.string()),
  scopes: z.array(z.string()),
  settings: clientSettingsSchema,
  disabled: z.boolean(),
  created_at: time,
  updated_at: time,
});

export const newClientWire = clientWire.extend({
  client_secret: z.string().optional().meta({
    description:
      'Where a secret was issued: for new clients with client_secret_basic, _post or _jwt, and for a change to such a method. Shown now and never again. Of a client_secret_jwt client we keep the secret itself, sealed, since it signs with it; it has exactly one. Of all others we keep a digest.',
  }),
});

export const secretWire = z.object({ secret_id: z.string(), created_at: time, expires_at: time.nullable() });
export const newSecretWire = secretWire.extend({
  client_secret: z.string().meta({ description: 'Shown now and never again.' }),
});
