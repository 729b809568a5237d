import { z } from 'zod';
import { oldIssuersStates } from '../../../apps/domains/domain.ts';
import { time } from '../apps/wire.ts';

const oldIssuers = z.enum(oldIssuersStates).meta({
  description:
    'What the issuers of before still do: `sign_in` everything, `refresh` only verify, refresh and sign out what began there, `ended` nothing, for good.',
});

export const claimBody = z.strictObject({
  domain: z
    .string()
    .min(1)
    .max(253)
    .meta({ description: 'A name alone, such as `id.shop.example`; international names in either form.' }),
  old_issuers: z.enum(['sign_in', 'refresh']).default('refresh').meta({
    description: 'What the issuers of before still do once the domain is active. See PATCH.',
  }),
});

export const transitionBody = z.strictObject({ old_issuers: oldIssuers });

export const removalQuery = z.strictObject({
  confirm: z
    .string()
    .max(253)
    .optional()
    .meta({ description: 'The domain once more, if it is in use: what was issued there stops working.' }),
});

export const domainWire = z.object({
  domain: z.string().nullable().meta({ description: 'Where the app is served; null: at BASE_URL.' }),
  issuer: z.url().meta({ description: "The app's own issuer, as of now." }),
  verified_at: time.nullable(),
  old_issuers: oldIssuers.nullable(),
  old_issuer_urls: z
    .array(z.url())
    .meta({ description: 'The issuers of before that are still there, the shared one aside.' }),
  pending: z
    .object({
      domain: z.string(),
      old_issuers: oldIssuers,
      verification: z
        .object({ type: z.literal('TXT'), name: z.string(), value: z.string() })
        .nullable()
        .meta({ description: 'The DNS record that proves the domain. null: none is needed.' }),
      created_at: time,
    })
    .nullable(),
});
