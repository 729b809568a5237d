import { newId } from '../kernel/id.ts';
import type { Queryable } from '../storage/database.ts';
import { each, sql } from '../storage/sql.ts';
import { emailTaken, phoneTaken } from './errors.ts';
import type { Profile } from './profile.ts';
import type { User } from './user.ts';

type UserRow = {
  app_id: string;
  user_id: string;
  email: string;
  email_verified_at: Date | null;
  phone: string | null;
  phone_verified_at: Date | null;
  profile: Profile;
  metadata: Record<string, unknown>;
  locale: string | null;
  created_at: Date;
  updated_at: Date;
  disabled_at: Date | null;
  access_ended_at: Date | null;
};

const toUser = (row: UserRow): User => ({
  appId: row.app_id,
  userId: row.user_id,
  email: row.email,
  emailVerified: row.email_verified_at !== null,
  phone: row.phone ?? undefined,
  phoneVerified: row.phone_verified_at !== null,
  profile: row.profile,
  metadata: row.metadata,
  locale: row.locale ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  disabledAt: row.disabled_at ?? undefined,
  accessEndedAt: row.access_ended_at ?? undefined,
});

/** A row of `people` as a column of another statement's answer: the same, with times as text. */
export type PersonJson = {
  [Name in keyof UserRow]: UserRow[Name] extends Date
    ? string
    : Date extends UserRow[Name]
      ? string | null
      : UserRow[Name];
};

export function userFromJson(person: PersonJson): User {
  const time = (text: string | null): Date | null => (text === null ? null : new Date(text));
  return toUser({
    ...person,
    email_verified_at: time(person.email_verified_at),
    phone_verified_at: time(person.phone_verified_at),
    created_at: new Date(person.created_at),
    updated_at: new Date(person.updated_at),
    disabled_at: time(person.disabled_at),
    access_ended_at: time(person.access_ended_at),
  });
}

const one = (rows: UserRow[]): User | undefined => (rows[0] ? toUser(rows[0]) : undefined);

/** The same as JSON, beside others who are asked for at the same moment. */
export async function personById(
  q: Queryable,
  appId: string,
  userId: string,
): Promise<PersonJson | undefined> {
  const [row] = await q.query<{ person: PersonJson }>(
    sql`select asked.nr, found.person from unnest(${each(userId)}::text[]) with ordinality as asked(user_id, nr) cross join lateral (
          select to_jsonb(u) as person from people u where u.app_id = ${appId} and u.user_id = asked.user_id limit 1
        ) found`,
  );
  return row?.person;
}

export async function userById(q: Queryable, appId: string, userId: string): Promise<User | undefined> {
  return one(
    await q.query<UserRow>(sql`
      select u.app_id, u.user_id, u.profile, u.metadata, u.locale, u.created_at, u.updated_at, u.disabled_at, u.access_ended_at,
        e.value as email, e.verified_at as email_verified_at, p.value as phone, p.verified_at as phone_verified_at
      from users u
      join identifiers e on e.app_id = u.app_id and e.user_id = u.user_id and e.kind = 'email'
      left join identifiers p on p.app_id = u.app_id and p.user_id = u.user_id and p.kind = 'phone'
      where u.app_id = ${appId} and u.user_id = ${userId}`),
  );
}

/** The same, and nobody else changes this user until the transaction ends. */
export async function lockUser(tx: Queryable, appId: string, userId: string): Promise<User | undefined> {
  return one(
    await tx.query<UserRow>(sql`
      select u.app_id, u.user_id, u.profile, u.metadata, u.locale, u.created_at, u.updated_at, u.disabled_at, u.access_ended_at,
        e.value as email, e.verified_at as email_verified_at, p.value as phone, p.verified_at as phone_verified_at
      from users u
      join identifiers e on e.app_id = u.app_id and e.user_id = u.user_id and e.kind = 'email'
      left join identifiers p on p.app_id = u.app_id and p.user_id = u.user_id and p.kind = 'phone'
      where u.app_id = ${appId} and u.user_id = ${userId} for update of u`),
  );
}

/** Ids alone, in their order. */
export async function userIdsAfter(
  q: Queryable,
  appId: string,
  page: { after: string; most: number },
): Promise<string[]> {
  const rows = await q.query<{ user_id: string }>(sql`
    select user_id from users where app_id = ${appId} and user_id > ${page.after} order by user_id limit ${page.most}`);
  return rows.map(({ user_id: userId }) => userId);
}

/** `email` must be normalized. */
export async function userByEmail(q: Queryable, appId: string, email: string): Promise<User | undefined> {
  return one(
    await q.query<UserRow>(sql`
      select u.app_id, u.user_id, u.profile, u.metadata, u.locale, u.created_at, u.updated_at, u.disabled_at, u.access_ended_at,
        e.value as email, e.verified_at as email_verified_at, p.value as phone, p.verified_at as phone_verified_at
      from identifiers e
      join users u on u.app_id = e.app_id and u.user_id = e.user_id
      left join identifiers p on p.app_id = u.app_id and p.user_id = u.user_id and p.kind = 'phone'
      where e.app_id = ${appId} and e.kind = 'email' and e.value = ${email}`),
  );
}

export type NewUser = {
  appId: string;
  /** Normalized. */
  email: string;
  emailVerified: boolean;
  phone?: string | undefined;
  profile?: Profile | undefined;
  metadata?: Record<string, unknown> | undefined;
  locale?: string | undefined;
};

/**
 * Problem `users.email_taken` when somebody has the address: nothing was written then and the transaction
 * stays usable. Problem `users.phone_taken` must end the transaction.
 */
export async function insertUser(tx: Queryable, user: NewUser): Promise<User> {
  const userId = newId('usr');
  // The identifier decides: of many at once the primary key lets one through, the others insert nothing at all.
  const [row] = await tx.query<UserRow>(sql`
    with taken as (
      insert into identifiers (app_id, kind, value, user_id, verified_at)
      values (${user.appId}, 'email', ${user.email}, ${userId}, case when ${user.emailVerified}::boolean then now() end)
      on conflict do nothing returning app_id, user_id, value, verified_at
    ), created as (
      insert into users (app_id, user_id, profile, metadata, locale)
      select app_id, user_id, ${user.profile ?? {}}::jsonb, ${user.metadata ?? {}}::jsonb, ${user.locale ?? null} from taken
      returning app_id, user_id, profile, metadata, locale, created_at, updated_at, disabled_at, access_ended_at
    )
    select created.app_id, created.user_id, created.profile, created.metadata, created.locale, created.created_at, created.updated_at,
      created.disabled_at, created.access_ended_at, taken.value as email, taken.verified_at as email_verified_at, null as phone, null as phone_verified_at
    from created, taken`);
  if (!row) throw emailTaken();
  if (user.phone) await setPhone(tx, { appId: user.appId, userId, phone: user.phone });
  return { ...toUser(row), phone: user.phone };
}

/** Overwrites what an update may change. The caller holds the row (`lockUser`). */
export async function updateUser(
  tx: Queryable,
  user: {
    appId: string;
    userId: string;
    profile: Profile;
    metadata: Record<string, unknown>;
    locale: string | undefined;
  },
): Promise<void> {
  await tx.query(sql`
    update users set profile = ${user.profile}::jsonb, metadata = ${user.metadata}::jsonb, locale = ${user.locale ?? null},
      version = version + 1, updated_at = now()
    where app_id = ${user.appId} and user_id = ${user.userId}`);
}

/** Replaces the address (normalized). Problem `users.email_taken` must end the transaction. */
export async function setEmail(
  tx: Queryable,
  change: { appId: string; userId: string; email: string; verified: boolean },
): Promise<void> {
  await tx.query(
    sql`delete from identifiers where app_id = ${change.appId} and user_id = ${change.userId} and kind = 'email'`,
  );
  const rows = await tx.query(sql`
    insert into identifiers (app_id, kind, value, user_id, verified_at)
    values (${change.appId}, 'email', ${change.email}, ${change.userId}, case when ${change.verified}::boolean then now() end)
    on conflict do nothing returning 1`);
  if (rows.length === 0) throw emailTaken();
}

/** Replaces or removes the number (E.164), unverified. Problem `users.phone_taken` must end the transaction. */
export async function setPhone(
  tx: Queryable,
  change: { appId: string; userId: string; phone: string | undefined },
): Promise<void> {
  await tx.query(
    sql`delete from identifiers where app_id = ${change.appId} and user_id = ${change.userId} and kind = 'phone'`,
  );
  if (change.phone === undefined) return;
  const rows = await tx.query(sql`
    insert into identifiers (app_id, kind, value, user_id) values (${change.appId}, 'phone', ${change.phone}, ${change.userId})
    on conflict do nothing returning 1`);
  if (rows.length === 0) throw phoneTaken();
}

/** False when the user no longer has this address: a link to an old one verifies nothing. */
export async function markEmailVerified(
  tx: Queryable,
  appId: string,
  userId: string,
  email: string,
): Promise<boolean> {
  const rows = await tx.query(sql`
    update identifiers set verified_at = coalesce(verified_at, now())
    where app_id = ${appId} and user_id = ${userId} and kind = 'email' and value = ${email} returning 1`);
  return rows.length === 1;
}

/** The operator's word, either way. */
export async function setEmailVerified(
  tx: Queryable,
  appId: string,
  userId: string,
  verified: boolean,
): Promise<void> {
  await tx.query(sql`
    update identifiers set verified_at = case when ${verified}::boolean then coalesce(verified_at, now()) end
    where app_id = ${appId} and user_id = ${userId} and kind = 'email'`);
}

/** Whether anything changed. */
export async function setDisabled(
  tx: Queryable,
  appId: string,
  userId: string,
  disabled: boolean,
): Promise<boolean> {
  const rows = await tx.query(sql`
    update users set disabled_at = case when ${disabled}::boolean then now() end, version = version + 1, updated_at = now()
    where app_id = ${appId} and user_id = ${userId} and (disabled_at is null) = ${disabled}::boolean returning 1`);
  return rows.length === 1;
}

/** From now on no sign-in that was begun before is finished. */
export async function markAccessEnded(tx: Queryable, appId: string, userId: string): Promise<void> {
  await tx.query(
    sql`update users set access_ended_at = clock_timestamp() where app_id = ${appId} and user_id = ${userId}`,
  );
}

/** Everything of this user goes with it (foreign keys cascade). False when there was none. */
export async function deleteUser(tx: Queryable, appId: string, userId: string): Promise<boolean> {
  const rows = await tx.query(
    sql`delete from users where app_id = ${appId} and user_id = ${userId} returning 1`,
  );
  return rows.length === 1;
}

/**
 * Newest first; `after` is a user id. Here and below the page is cut first and its rows are looked up one by one (`limit 1`
 * keeps it so): a plan made for any app otherwise merges whole tables up to the place of the page.
 */
export async function listUsers(
  q: Queryable,
  appId: string,
  page: { limit: number; after?: string | undefined },
): Promise<User[]> {
  const rows = await q.query<UserRow>(sql`
    select u.app_id, u.user_id, u.profile, u.metadata, u.locale, u.created_at, u.updated_at, u.disabled_at, u.access_ended_at,
      e.value as email, e.verified_at as email_verified_at, p.value as phone, p.verified_at as phone_verified_at
    from (select app_id, user_id, profile, metadata, locale, created_at, updated_at, disabled_at, access_ended_at
      from users where app_id = ${appId} and user_id < ${page.after ?? 'usr_g'} order by user_id desc limit ${page.limit}) u
    cross join lateral (select value, verified_at from identifiers where app_id = u.app_id and user_id = u.user_id and kind = 'email' limit 1) e
    left join lateral (select value, verified_at from identifiers where app_id = u.app_id and user_id = u.user_id and kind = 'phone' limit 1) p on true
    order by u.user_id desc`);
  return rows.map(toUser);
}

/** Users whose address begins with `prefix` (folded like an address), by address; `after` is an address. */
export async function usersByEmailPrefix(
  q: Queryable,
  appId: string,
  page: { prefix: string; limit: number; after?: string | undefined },
): Promise<User[]> {
  // A range instead of LIKE: it uses the primary key under a generic plan, and nothing has to be escaped.
  const rows = await q.query<UserRow>(sql`
    select u.app_id, u.user_id, u.profile, u.metadata, u.locale, u.created_at, u.updated_at, u.disabled_at, u.access_ended_at,
      e.value as email, e.verified_at as email_verified_at, p.value as phone, p.verified_at as phone_verified_at
    from (select app_id, user_id, value, verified_at from identifiers
      where app_id = ${appId} and kind = 'email' and value >= ${page.prefix} and value < ${`${page.prefix}\u{10ffff}`} and value > ${page.after ?? ''}
      order by value limit ${page.limit}) e
    cross join lateral (select app_id, user_id, profile, metadata, locale, created_at, updated_at, disabled_at, access_ended_at
      from users where app_id = e.app_id and user_id = e.user_id limit 1) u
    left join lateral (select value, verified_at from identifiers where app_id = u.app_id and user_id = u.user_id and kind = 'phone' limit 1) p on true
    order by e.value`);
  return rows.map(toUser);
}
