import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import { type Database, scoped, type Transaction } from '../storage/database.ts';
import type { Access } from './access.ts';
import { requireEmail, type RequirePassword, requirePhone, requireSmallMetadata } from './create-user.ts';
import { disableUser, enableUser } from './disable-user.ts';
import { userNotFound } from './errors.ts';
import { dropEmailChange } from './email-changes/store.ts';
import { setPassword } from './passwords/store.ts';
import { changeProfile, namesIn, type ProfileChange } from './profile.ts';
import {
  lockUser,
  setEmail,
  setEmailVerified,
  setPhone,
  updateUser as writeUser,
  userById,
} from './store.ts';
import type { User } from './user.ts';

export type UpdateUserDeps = {
  db: Database;
  access: Pick<Access, 'endUserAccess'>;
  hashPassword(plain: string): Promise<string>;
};

/** What is absent stays as it is; null removes. */
export type UserChange = {
  email?: string | undefined;
  emailVerified?: boolean | undefined;
  phone?: string | null | undefined;
  password?: string | undefined;
  profile?: ProfileChange | undefined;
  metadata?: Record<string, unknown> | undefined;
  locale?: string | null | undefined;
  disabled?: boolean | undefined;
};

export type UpdateUser = {
  appId: string;
  userId: string;
  change: UserChange;
  requirePassword: RequirePassword;
  by: Author;
};

/** All of the change or none of it. A new password or address ends every session: whoever knew the old one is out. */
export async function updateUser(deps: UpdateUserDeps, input: UpdateUser): Promise<User> {
  const { appId, userId, by } = input;
  const change = normalizeChange(input.change);
  const hash =
    change.password === undefined ? undefined : await hashed(deps, { ...input, change }, change.password);
  return deps.db.transaction(appId, async (tx) => {
    const user = await lockUser(tx, appId, userId);
    if (!user) throw userNotFound();
    await writeFacts(tx, user, change);
    await writeIdentifiers(tx, user, change);
    if (hash !== undefined) await setPassword(tx, { appId, userId, hash });
    const newEmail = change.email !== undefined && change.email !== user.email;
    if (hash !== undefined || newEmail) {
      await dropEmailChange(tx, appId, userId);
      await deps.access.endUserAccess(tx, {
        appId,
        userId,
        why: hash === undefined ? 'email_changed' : 'password_changed',
      });
    }
    const changed = changedFields(change);
    if (changed.length)
      await audit(tx, {
        ...by,
        appId,
        type: 'user.updated',
        userId,
        result: 'success',
        details: { changed },
      });
    if (change.disabled === true) await disableUser(deps, tx, { appId, userId, by });
    if (change.disabled === false) await enableUser(tx, { appId, userId, by });
    return (await userById(tx, appId, userId))!;
  });
}

/** Judged by what will be known of the person when it is set. */
async function hashed(
  { db, hashPassword }: UpdateUserDeps,
  { appId, userId, change, requirePassword }: UpdateUser,
  password: string,
): Promise<string> {
  const user = await userById(scoped(db, appId), appId, userId);
  if (!user) throw userNotFound();
  const profile = change.profile ? changeProfile(user.profile, change.profile) : user.profile;
  await requirePassword(password, { email: change.email ?? user.email, names: namesIn(profile) });
  return hashPassword(password);
}

function normalizeChange(change: UserChange): UserChange {
  requireSmallMetadata(change.metadata);
  return {
    ...change,
    ...(change.email === undefined ? {} : { email: requireEmail(change.email) }),
    ...(typeof change.phone === 'string' ? { phone: requirePhone(change.phone) } : {}),
  };
}

async function writeFacts(tx: Transaction, user: User, change: UserChange): Promise<void> {
  if (change.profile === undefined && change.metadata === undefined && change.locale === undefined) return;
  await writeUser(tx, {
    appId: user.appId,
    userId: user.userId,
    profile: change.profile ? changeProfile(user.profile, change.profile) : user.profile,
    metadata: change.metadata ?? user.metadata,
    locale: change.locale === undefined ? user.locale : (change.locale ?? undefined),
  });
}

async function writeIdentifiers(tx: Transaction, user: User, change: UserChange): Promise<void> {
  const { appId, userId } = user;
  if (change.email !== undefined && change.email !== user.email) {
    await setEmail(tx, { appId, userId, email: change.email, verified: change.emailVerified ?? false });
  } else if (change.emailVerified !== undefined) {
    await setEmailVerified(tx, appId, userId, change.emailVerified);
  }
  if (change.phone !== undefined && (change.phone ?? undefined) !== user.phone) {
    await setPhone(tx, { appId, userId, phone: change.phone ?? undefined });
  }
}

const changedFields = ({ disabled: _, ...change }: UserChange): string[] =>
  Object.entries(change)
    .filter(([, value]) => value !== undefined)
    .map(([field]) => field);
