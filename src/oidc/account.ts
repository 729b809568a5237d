import type { Account, KoaContextWithOIDC } from 'oidc-provider';
import type { App, AppSnapshot } from '../apps/app.ts';
import { type Database, lookingUp } from '../storage/database.ts';
import { personById, type PersonJson, userFromJson } from '../users/store.ts';
import type { User } from '../users/user.ts';
import type { CustomClaim } from '../apps/claims/custom-claim.ts';
import { type ClaimUse, customClaims } from './claims/custom-claims.ts';
import { unitOfWork } from './unit-of-work.ts';

/** Which claims each scope gives (OIDC Core §5.4). `app_id`, `amr` and `auth_time` come with every ID token. */
export const claimsByScope = {
  openid: ['sub', 'app_id', 'amr', 'acr', 'auth_time'],
  profile: [
    'name',
    'family_name',
    'given_name',
    'middle_name',
    'nickname',
    'preferred_username',
    'profile',
    'picture',
    'website',
    'gender',
    'birthdate',
    'zoneinfo',
    'locale',
    'updated_at',
  ],
  email: ['email', 'email_verified'],
  phone: ['phone_number', 'phone_number_verified'],
  address: ['address'],
};

/** What the library has to know of claims: those of a scope are given with it, and what is not named is never given. */
export function claimsConfiguration(custom: readonly CustomClaim[]) {
  const claims: Record<string, null | string[]> = { ...claimsByScope };
  for (const { name, scope } of custom) {
    const key = scope ?? 'openid';
    claims[key] = [...(claims[key] ?? []), name];
  }
  // Last, so that no scope of that name takes their place.
  return { ...claims, sid: null, iss: null };
}

/** The user, unless unknown or disabled; asked for once in a request. */
export async function liveUser(db: Database, appId: string, sub: string): Promise<User | undefined> {
  const memo = unitOfWork().memo;
  const seen = memo.get(`user:${sub}`) as User | undefined;
  const user = seen ?? (await found(db, appId, sub));
  if (!user || user.disabledAt) return undefined;
  memo.set(`user:${sub}`, user);
  return user;
}

async function found(db: Database, appId: string, sub: string): Promise<User | undefined> {
  const person = await personById(lookingUp(db, appId), appId, sub);
  return person && userFromJson(person);
}

/** A user whom another statement of this request has brought along. */
export function rememberUser(person: PersonJson | null | undefined): void {
  if (person) unitOfWork().memo.set(`user:${person.user_id}`, userFromJson(person));
}

/** Finds users of one app; someone who is disabled is not found. */
export function accountFinder(db: Database, { app }: Pick<AppSnapshot, 'app'>) {
  return async (ctx: KoaContextWithOIDC, sub: string): Promise<Account | undefined> => {
    const user = await liveUser(db, app.appId, sub);
    if (!user) return undefined;
    return {
      accountId: user.userId,
      claims: (use, requested) => {
        // For an ID token these are the scopes asked for; what counts is what was granted.
        const scope = ctx.oidc?.grant?.getOIDCScopeFiltered(new Set(requested.split(' '))) ?? requested;
        return Promise.resolve(claimsAbout(app, user, { use: use as ClaimUse, scope }));
      },
    };
  };
}

/** What an app says of its user in one place; more than the scopes cover, which whoever answers leaves out. */
export const claimsAbout = (
  { settings }: Pick<App, 'settings'>,
  user: User,
  at: { use: ClaimUse; scope: string },
): { sub: string } & Record<string, unknown> => ({
  ...customClaims(settings.custom_claims, user, at),
  ...claimsOf(user),
});

function claimsOf(user: User): { sub: string } & Record<string, unknown> {
  const profile = user.profile as Record<string, unknown>;
  return {
    ...profile,
    updated_at: Math.floor(user.updatedAt.getTime() / 1000),
    ...(user.locale ? { locale: user.locale } : {}),
    ...(user.email ? { email: user.email, email_verified: user.emailVerified } : {}),
    ...(user.phone ? { phone_number: user.phone, phone_number_verified: user.phoneVerified } : {}),
    // Last, so that nothing in a profile takes their place.
    app_id: user.appId,
    sub: user.userId,
  };
}
