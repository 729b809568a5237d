import { z } from 'zod';
import { appSettingsSchema } from '../../../apps/app.ts';

export const time = z.iso.datetime();

export const appWire = z.object({
  app_id: z.string(),
  name: z.string(),
  type: z.enum(['web', 'spa', 'native']),
  client_id: z.string().meta({ description: 'The first client is the app: the same as `app_id`.' }),
  issuer: z.url().meta({ description: "The app's own issuer: at its domain, if it has one." }),
  redirect_uris: z.array(z.string()),
  post_logout_redirect_uris: z.array(z.string()),
  allowed_origins: z.array(z.string()),
  settings: appSettingsSchema,
  built_in: z.boolean(),
  disabled: z.boolean(),
  created_at: time,
  updated_at: time,
});

export const newAppWire = appWire.extend({
  client_secret: z.string().optional().meta({ description: 'For `web`: shown now and never again.' }),
});
