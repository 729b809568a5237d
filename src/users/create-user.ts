import { audit } from '../events/audit.ts';
import type { Author } from '../events/author.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { normalizeEmail } from './email.ts';
import { emailInvalid, metadataTooLarge, phoneInvalid } from './errors.ts';
import { setPassword } from './passwords/store.ts';
import { normalizePhone } from './phone.ts';
import { namesIn, type Profile } from './profile.ts';
import { insertUser } from './store.ts';
import type { User } from './user.ts';

/** Problems `users.password_…`: what the sign-in pages of the app would refuse is refused here. `email` is normalized. */
export type RequirePassword = (
  password: string,
  whose: { email: string; names: readonly string[] },
) => Promise<void>;

export type CreateUserDeps = {
  db: Database;
  /** Off the event loop; a PHC string. */
  hashPassword(plain: string): Promise<string>;
  /** Queues the mail that lets this person set up the account, in the same transaction. */
  sendInvitation(tx: Transaction, invitation: { appId: string; user: User }): Promise<void>;
};

export type CreateUser = {
  appId: string;
  email: string;
  emailVerified?: boolean | undefined;
  password?: string | undefined;
  /** Instead of a password: one of another system, as it is to be kept. */
  passwordHash?: string | undefined;
  phone?: string | undefined;
  profile?: Profile | undefined;
  metadata?: Record<string, unknown> | undefined;
  locale?: string | undefined;
  sendInvitation?: boolean | undefined;
  requirePassword: RequirePassword;
  by: Author;
};

const METADATA_MAX_BYTES = 16_384;

/** A user made by an operator. Problems `users.email_taken`, `users.phone_taken` and those of malformed values. */
export async function createUser(deps: CreateUserDeps, input: CreateUser): Promise<User> {
  const email = requireEmail(input.email);
  const phone = input.phone === undefined ? undefined : requirePhone(input.phone);
  requireSmallMetadata(input.metadata);
  const hash =
    input.password === undefined
      ? input.passwordHash
      : await hashed(deps, input, { email, password: input.password });
  return deps.db.transaction(input.appId, async (tx) => {
    const { appId, profile, metadata } = input;
    const locale = input.locale ?? profile?.locale;
    const user = await insertUser(tx, {
      appId,
      email,
      emailVerified: input.emailVerified ?? false,
      phone,
      profile,
      metadata,
      locale,
    });
    if (hash !== undefined) await setPassword(tx, { appId, userId: user.userId, hash });
    if (input.sendInvitation) await deps.sendInvitation(tx, { appId, user });
    const details = { invited: input.sendInvitation ?? false, with_password: hash !== undefined };
    await audit(tx, {
      ...input.by,
      appId,
      type: 'user.created',
      userId: user.userId,
      result: 'success',
      details,
    });
    return user;
  });
}

async function hashed(
  deps: CreateUserDeps,
  { profile, requirePassword }: CreateUser,
  { email, password }: { email: string; password: string },
): Promise<string> {
  await requirePassword(password, { email, names: namesIn(profile) });
  return deps.hashPassword(password);
}

export function requireEmail(input: string): string {
  const email = normalizeEmail(input);
  if (email === undefined) throw emailInvalid();
  return email;
}

export function requirePhone(input: string): string {
  const phone = normalizePhone(input);
  if (phone === undefined) throw phoneInvalid();
  return phone;
}

export function requireSmallMetadata(metadata: Record<string, unknown> | undefined): void {
  if (metadata && Buffer.byteLength(JSON.stringify(metadata)) > METADATA_MAX_BYTES)
    throw metadataTooLarge(METADATA_MAX_BYTES);
}
