import type { NamedDevice } from '../../http/device-in-words.ts';
import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

/** `device` is a text in what was asked for before it was kept by its names. */
export type AskedFrom = { place: string; device: NamedDevice; requestedAt: string };

export type EmailChange = {
  user_id: string;
  digest: string;
  new_email: string;
  asked_from: AskedFrom;
  code_mac: string | null;
  tries: number;
  created_at: Date;
  expires_at: Date;
};

export type NewEmailChange = {
  appId: string;
  userId: string;
  digest: string;
  /** Normalized. */
  email: string;
  /** False: the address has an account; the same is kept, and nothing confirms it. */
  isOpen: boolean;
  askedFrom: AskedFrom;
  ttlSeconds: number;
};

/** A newer one takes the place of the older, whose link and code are dead. */
export async function putEmailChange(tx: Queryable, change: NewEmailChange): Promise<void> {
  await tx.query(sql`
    insert into email_changes (app_id, user_id, digest, new_email, is_open, asked_from, expires_at)
    values (${change.appId}, ${change.userId}, ${change.digest}, ${change.email}, ${change.isOpen}, ${JSON.stringify(change.askedFrom)}::jsonb,
      now() + ${change.ttlSeconds} * interval '1 second')
    on conflict (app_id, user_id) do update set digest = excluded.digest, new_email = excluded.new_email, is_open = excluded.is_open,
      asked_from = excluded.asked_from, code_mac = null, tries = 0, created_at = now(), expires_at = excluded.expires_at`);
}

/** What a user is waiting for, if anything. */
export async function pendingEmailChange(
  q: Queryable,
  appId: string,
  userId: string,
): Promise<EmailChange | undefined> {
  const [row] = await q.query<EmailChange>(sql`
    select user_id, digest, new_email, asked_from, code_mac, tries, created_at, expires_at
    from email_changes where app_id = ${appId} and user_id = ${userId} and expires_at > now()`);
  return row;
}

/** By the secret in the mail, which only a change that can be confirmed has sent. */
export async function emailChangeByDigest(
  q: Queryable,
  appId: string,
  digest: string,
): Promise<EmailChange | undefined> {
  const [row] = await q.query<EmailChange>(sql`
    select user_id, digest, new_email, asked_from, code_mac, tries, created_at, expires_at
    from email_changes where app_id = ${appId} and digest = ${digest} and is_open and expires_at > now()`);
  return row;
}

/** Remembers the code's MAC unless one is there, and returns what is there: a MAC or `refused`. */
export async function keepCodeOfChange(
  q: Queryable,
  at: { appId: string; digest: string; mac: string },
): Promise<string | undefined> {
  const [row] = await q.query<{ code_mac: string }>(sql`
    update email_changes set code_mac = coalesce(code_mac, ${at.mac})
    where app_id = ${at.appId} and digest = ${at.digest} and expires_at > now() returning code_mac`);
  return row?.code_mac;
}

/** From now on no code of this change is right. */
export async function refuseCodeOfChange(q: Queryable, appId: string, digest: string): Promise<void> {
  await q.query(
    sql`update email_changes set code_mac = 'refused' where app_id = ${appId} and digest = ${digest}`,
  );
}

/** Counts one more code before it is compared. */
export async function countCodeOfChange(
  q: Queryable,
  appId: string,
  userId: string,
): Promise<EmailChange | undefined> {
  const [row] = await q.query<EmailChange>(sql`
    update email_changes set tries = tries + 1 where app_id = ${appId} and user_id = ${userId} and expires_at > now()
    returning user_id, digest, new_email, asked_from, code_mac, tries, created_at, expires_at`);
  return row;
}

/** Takes a change that may be carried out: of many at once one gets it. */
export async function takeEmailChange(
  tx: Queryable,
  at: { appId: string; userId: string; digest: string },
): Promise<EmailChange | undefined> {
  const [row] = await tx.query<EmailChange>(sql`
    delete from email_changes where app_id = ${at.appId} and user_id = ${at.userId} and digest = ${at.digest} and is_open and expires_at > now()
    returning user_id, digest, new_email, asked_from, code_mac, tries, created_at, expires_at`);
  return row;
}

/** Whether there was one. Its link and code are dead. */
export async function dropEmailChange(tx: Queryable, appId: string, userId: string): Promise<boolean> {
  const rows = await tx.query(
    sql`delete from email_changes where app_id = ${appId} and user_id = ${userId} returning 1`,
  );
  return rows.length === 1;
}

export type NewEmailUndo = {
  appId: string;
  digest: string;
  userId: string;
  oldEmail: string;
  askedAt: Date;
  ttlSeconds: number;
};

export async function insertEmailUndo(tx: Queryable, undo: NewEmailUndo): Promise<void> {
  await tx.query(sql`
    insert into email_undos (app_id, digest, user_id, old_email, asked_at, expires_at)
    values (${undo.appId}, ${undo.digest}, ${undo.userId}, ${undo.oldEmail}, ${undo.askedAt}, now() + ${undo.ttlSeconds} * interval '1 second')`);
}

export type EmailUndo = { user_id: string; old_email: string; asked_at: Date };

export async function emailUndoByDigest(
  q: Queryable,
  appId: string,
  digest: string,
): Promise<EmailUndo | undefined> {
  const [row] = await q.query<EmailUndo>(sql`
    select user_id, old_email, asked_at from email_undos
    where app_id = ${appId} and digest = ${digest} and expires_at > now()`);
  return row;
}

/** This one, and those that later changes gave: what is undone gives nobody a way to bring it back. */
export async function takeEmailUndo(tx: Queryable, appId: string, digest: string): Promise<boolean> {
  const rows = await tx.query(sql`
    delete from email_undos u using email_undos this
    where this.app_id = ${appId} and this.digest = ${digest} and this.expires_at > now()
      and u.app_id = this.app_id and u.user_id = this.user_id and u.created_at >= this.created_at
    returning 1`);
  return rows.length > 0;
}
