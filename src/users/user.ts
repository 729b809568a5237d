import type { Profile } from './profile.ts';

/** A person inside one app. `userId` is the `sub` of its tokens and never repeats across apps. */
export type User = {
  appId: string;
  userId: string;
  /** Normalized, see email.ts. */
  email: string;
  /** An unverified address proves nothing about who this is. */
  emailVerified: boolean;
  /** E.164. */
  phone: string | undefined;
  phoneVerified: boolean;
  profile: Profile;
  /** Whatever the app's operators keep here; never shown to the person, a claim only where `custom_claims` says so. */
  metadata: Record<string, unknown>;
  /** Language of pages and mails. */
  locale: string | undefined;
  createdAt: Date;
  updatedAt: Date;
  disabledAt: Date | undefined;
  /** When all access was last ended (a recovery, "sign out everywhere"): a sign-in begun before is not finished. */
  accessEndedAt: Date | undefined;
};
