import { z } from 'zod';
import { appSettingsSchema } from './app.ts';
import { displayName, firstClientFields } from './clients/client-input.ts';
import { sparse } from './settings.ts';

const settings = (
  sparse(appSettingsSchema) as z.ZodType<Record<string, unknown>, Record<string, unknown>>
).optional();

export const newAppSchema = z.strictObject({
  /** Never changes, never given again. */
  app_id: z
    .string()
    .min(3)
    .max(48)
    .regex(
      /^[a-z][a-z0-9]*([-_][a-z0-9]+)*$/,
      'must be 3 to 48 lower-case letters and digits, beginning with a letter, with single - or _ between them',
    ),
  name: displayName,
  type: z.enum(['web', 'spa', 'native']).default('web'),
  ...firstClientFields,
  settings,
});
export type NewAppInput = z.input<typeof newAppSchema>;

export const appChangeSchema = z.strictObject({
  name: displayName.optional(),
  ...firstClientFields,
  settings,
  /** A disabled app answers nobody; nothing is erased. */
  disabled: z.boolean().optional(),
});
export type AppChangeInput = z.output<typeof appChangeSchema>;
