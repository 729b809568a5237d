import { z } from 'zod';
import { isTimeZone } from '../kernel/time-zone.ts';

/** One line of text: no control characters, no direction overrides that would disguise it in a list. */
const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u, 'must be one line of plain text');
/** The same with line breaks (OpenID Connect Core §5.1.1 allows them in addresses). */
const lines = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^(?:[^\p{Cc}\u202a-\u202e\u2066-\u2069]|\r?\n)*$/u, 'must be plain text');
const webAddress = z.url({ protocol: /^https$/, error: 'must be an https address' }).max(2048);

const isLanguage = (value: string) => {
  try {
    return Intl.getCanonicalLocales(value).length === 1;
  } catch {
    return false;
  }
};

/** A BCP 47 language tag. */
export const localeSchema = z
  .string()
  .max(35)
  .refine(isLanguage, 'must be a language tag such as en or de-CH');

/** Standard claims (OpenID Connect Core §5.1) that are plain facts about a person. */
export const profileSchema = z.strictObject({
  name: line(256).optional(),
  given_name: line(128).optional(),
  family_name: line(128).optional(),
  middle_name: line(128).optional(),
  nickname: line(128).optional(),
  preferred_username: line(128).optional(),
  profile: webAddress.optional(),
  picture: webAddress.optional(),
  website: webAddress.optional(),
  gender: line(64).optional(),
  /** `YYYY-MM-DD`, `YYYY`, or `0000-MM-DD` when the year is withheld. */
  birthdate: z
    .string()
    .regex(/^(?:\d{4}|\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))$/, 'must be YYYY-MM-DD or YYYY')
    .optional(),
  zoneinfo: z.string().max(64).refine(isTimeZone, 'must be a time zone such as Europe/Zurich').optional(),
  locale: localeSchema.optional(),
  address: z
    .strictObject({
      formatted: lines(1024).optional(),
      street_address: lines(512).optional(),
      locality: line(128).optional(),
      region: line(128).optional(),
      postal_code: line(32).optional(),
      country: line(128).optional(),
    })
    .optional(),
});
export type Profile = z.output<typeof profileSchema>;

const removable = <Shape extends z.ZodRawShape>(shape: Shape) =>
  Object.fromEntries(
    Object.entries(shape).map(([claim, schema]) => [claim, (schema as z.ZodType).nullable()]),
  ) as unknown as {
    [Claim in keyof Shape]: z.ZodNullable<Shape[Claim]>;
  };

/** The same as a change: what is absent stays, null removes (RFC 7396). */
export const profileChangeSchema = z.strictObject(removable(profileSchema.shape));
export type ProfileChange = z.output<typeof profileChangeSchema>;

export function changeProfile(profile: Profile, change: ProfileChange): Profile {
  const merged = { ...profile, ...change };
  return Object.fromEntries(
    Object.entries(merged).filter(([, value]) => value !== null && value !== undefined),
  ) as Profile;
}

/** What a person is called: nothing to build a password of. */
export const namesIn = (profile: Profile | undefined): string[] =>
  [
    profile?.name,
    profile?.given_name,
    profile?.family_name,
    profile?.nickname,
    profile?.preferred_username,
  ].filter((name) => name !== undefined);
