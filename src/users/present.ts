import type { User } from './user.ts';

/** A user as operators see it. */
export function presentUser(user: User) {
  return {
    user_id: user.userId,
    app_id: user.appId,
    email: user.email,
    email_verified: user.emailVerified,
    phone: user.phone ?? null,
    phone_verified: user.phoneVerified,
    profile: user.profile,
    metadata: user.metadata,
    locale: user.locale ?? null,
    disabled: user.disabledAt !== undefined,
    disabled_at: user.disabledAt?.toISOString() ?? null,
    created_at: user.createdAt.toISOString(),
    updated_at: user.updatedAt.toISOString(),
  };
}
