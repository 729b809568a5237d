import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import type { Database } from '../storage/database.ts';
import { userNotFound } from './errors.ts';
import { changeProfile, type ProfileChange } from './profile.ts';
import { lockUser, updateUser } from './store.ts';

/** The claims that people may change themselves; everything else about an account is not theirs to say. */
export const OWN_CLAIMS = ['name', 'given_name', 'family_name', 'nickname', 'locale', 'zoneinfo'] as const;
export type OwnClaim = (typeof OWN_CLAIMS)[number];

export type EditProfile = {
  appId: string;
  userId: string;
  change: Pick<ProfileChange, OwnClaim>;
  by: Author;
};

/** The language of the profile is also that of the mails. Problem `users.not_found`. */
export async function editProfile(db: Database, { appId, userId, change, by }: EditProfile): Promise<void> {
  await db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, userId);
    if (!user) throw userNotFound();
    const { profile, metadata } = user;
    const next = changeProfile(profile, change);
    const changed = OWN_CLAIMS.filter((claim) => next[claim] !== profile[claim]);
    if (changed.length === 0) return;
    const locale = changed.includes('locale') ? next.locale : user.locale;
    await updateUser(tx, { appId, userId, profile: next, metadata, locale });
    await audit(tx, {
      ...by,
      appId,
      type: 'user.profile_changed',
      userId,
      result: 'success',
      details: { changed },
    });
  });
}
