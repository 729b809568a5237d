import { z } from 'zod';
import { localeSchema, profileChangeSchema, profileSchema } from '../../../users/profile.ts';
import { digestNames } from '../../../sign-in/passwords/foreign/digest.ts';
import { time } from '../apps/wire.ts';

export const userWire = z.object({
  user_id: z.string().meta({ description: '`sub` of the tokens, but for pairwise clients.' }),
  app_id: z.string(),
  email: z.string(),
  email_verified: z.boolean(),
  phone: z.string().nullable(),
  phone_verified: z.boolean(),
  profile: profileSchema,
  metadata: z.record(z.string(), z.unknown()),
  locale: z.string().nullable(),
  disabled: z.boolean(),
  disabled_at: time.nullable(),
  created_at: time,
  updated_at: time,
});

const metadata = z.record(z.string().max(128), z.unknown());
const password = z.string().min(1).max(1024).meta({
  description:
    'What the sign-in pages of the app would accept: its length, nothing common, nothing personal, nothing breached.',
});

const base64 = z.string().max(512);

/** Read by sign-in/passwords/foreign; what stands here is its shape alone. */
const passwordHash = z
  .union([
    z.string().min(1).max(1024),
    z
      .strictObject({
        algorithm: z.literal('firebase_scrypt'),
        hash: base64,
        salt: base64,
        salt_separator: base64,
        signer_key: base64.meta({ description: 'Of the project; not kept.' }),
        rounds: z.int().min(1).max(1024),
        mem_cost: z.int().min(1).max(64),
      })
      .meta({ description: 'As `firebase auth:export` writes it, with the parameters of the project.' }),
    z
      .strictObject({
        algorithm: z.enum(digestNames),
        hash: z.string().max(128).meta({ description: 'Hexadecimal.' }),
        salt: z.string().max(256),
        salt_encoding: z.enum(['utf8', 'hex', 'base64']).default('utf8'),
        salt_position: z.enum(['before', 'after']),
      })
      .meta({ description: 'One digest of password and salt.' }),
  ])
  .meta({
    description:
      'Instead of `password`: its hash in another system, replaced at the first sign-in. bcrypt, scrypt, PBKDF2, phpass, Argon2 and LDAP digests as strings in their own notation; docs/migrating-users.md lists them with their limits.',
  });

export const newUserSchema = z.strictObject({
  email: z.string().max(320),
  password: password.optional(),
  password_hash: passwordHash.optional(),
  email_verified: z.boolean().optional(),
  phone: z.string().max(32).optional(),
  profile: profileSchema.optional(),
  metadata: metadata.optional(),
  locale: localeSchema.optional(),
  send_invitation: z.boolean().optional().meta({ description: 'Mails a link to set up the account.' }),
});

export const userChangeSchema = z.strictObject({
  email: z.string().max(320).optional(),
  email_verified: z.boolean().optional(),
  phone: z.string().max(32).nullable().optional(),
  password: password.optional(),
  profile: profileChangeSchema.optional().meta({ description: 'Merged; null removes a claim.' }),
  metadata: metadata.optional().meta({ description: 'Replaces what was there.' }),
  locale: localeSchema.nullable().optional(),
  disabled: z
    .boolean()
    .optional()
    .meta({ description: 'true ends every session, refresh token and access token of the user.' }),
});

export const sessionWire = z.object({
  session_id: z.string(),
  user_agent: z.string().nullable(),
  address: z.string().nullable(),
  device: z.object({
    browser: z.string().nullable(),
    os: z.string().nullable(),
    kind: z.enum(['desktop', 'mobile', 'tablet']).nullable(),
    text: z.string().nullable().meta({ description: 'For people: `Firefox on Windows`.' }),
  }),
  place: z
    .object({
      city: z.string().nullable(),
      country: z.string().nullable(),
      country_code: z.string().nullable(),
      text: z.string().nullable().meta({ description: 'For people: `Lisbon, Portugal`.' }),
    })
    .nullable()
    .meta({ description: 'Where GEOIP_DATABASE knows the address.' }),
  clients: z.array(z.object({ client_id: z.string(), name: z.string() })),
  amr: z.array(z.string()),
  created_at: time,
  last_active_at: time,
  expires_at: time,
});

export const grantWire = z.object({
  grant_id: z.string(),
  client_id: z.string(),
  client_name: z.string(),
  scopes: z.array(z.string()),
  session_id: z.string().nullable().meta({ description: 'The session that it ends with.' }),
  created_at: time,
  expires_at: time,
});
