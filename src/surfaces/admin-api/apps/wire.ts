import { z } from 'zod';
import { appSettingsSchema } from '../../../apps/app.ts';

export const time = z.iso.datetime();

export const logoWire = z.object({
  url: z
    .string()
    .meta({ description: 'Below the origin of the pages; another picture has another address.' }),
  width: z.int(),
  height: z.int(),
});

export const appWire = z.object({
  app_id: z.string(),
  name: z.string(),
  type: z.enum(['web', 'spa', 'native']),
  client_id: z.string().meta({ description: 'The first client is the app: the same as `app_id`.' }),
  issuer: z.url().meta({ description: "The app's own issuer: at its domain, if it has one." }),
  redirect_uris: z.array(z.string()),
  post_logout_redirect_uris: z.array(z.string()),
  allowed_origins: z.array(z.string()),
  logo: logoWire.nullable().meta({ description: 'What pages and mails show beside the name.' }),
  settings: appSettingsSchema,
  built_in: z.boolean(),
  disabled: z.boolean(),
  created_at: time,
  updated_at: time,
});

export const newAppWire = appWire.extend({
  client_secret: z.string().optional().meta({ description: 'For `web`: shown now and never again.' }),
});
