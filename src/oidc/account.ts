import type { Account, KoaContextWithOIDC } from 'oidc-provider';
import { type Database, scoped } from '../storage/database.ts';
import { userById } from '../users/store.ts';
import type { User } from '../users/user.ts';
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

/** Finds users of one app; someone who is disabled is not found. */
export function accountFinder(db: Database, appId: string) {
  return async (_ctx: KoaContextWithOIDC, sub: string): Promise<Account | undefined> => {
    const memo = unitOfWork().memo;
    const seen = memo.get(`user:${sub}`) as User | undefined;
    const user = seen ?? (await userById(scoped(db, appId), appId, sub));
    if (!user || user.disabledAt) return undefined;
    memo.set(`user:${sub}`, user);
    return { accountId: user.userId, claims: () => Promise.resolve(claimsOf(user)) };
  };
}

/** The library leaves out what the scopes do not cover. */
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
