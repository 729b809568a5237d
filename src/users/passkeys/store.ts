import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';
import type { Passkey, PasskeyKey } from './passkey.ts';

type Row = {
  passkey_id: string;
  user_id: string;
  credential_id: string;
  name: string;
  rp_id: string;
  aaguid: string;
  transports: string[];
  backup_eligible: boolean;
  backed_up: boolean;
  format: string;
  created_at: Date;
  last_used_at: Date | null;
};

const toPasskey = (row: Row): Passkey => ({
  passkeyId: row.passkey_id,
  userId: row.user_id,
  credentialId: row.credential_id,
  name: row.name,
  rpId: row.rp_id,
  aaguid: row.aaguid,
  transports: row.transports,
  backupEligible: row.backup_eligible,
  backedUp: row.backed_up,
  format: row.format,
  createdAt: row.created_at,
  lastUsedAt: row.last_used_at ?? undefined,
});

/** Newest first. */
export async function passkeysOf(
  q: Queryable,
  at: { appId: string; userId: string; after?: string | undefined; limit?: number },
): Promise<Passkey[]> {
  const rows = await q.query<Row>(sql`
    select passkey_id, user_id, credential_id, name, rp_id, aaguid, transports, backup_eligible, backed_up, format, created_at, last_used_at
    from passkeys where app_id = ${at.appId} and user_id = ${at.userId}
      and (${at.after ?? null}::text is null or passkey_id < ${at.after ?? null})
    order by passkey_id desc limit ${at.limit ?? 100}`);
  return rows.map(toPasskey);
}

export async function countPasskeys(q: Queryable, appId: string, userId: string): Promise<number> {
  const [row] = await q.query<{ count: number }>(
    sql`select count(*)::int as count from passkeys where app_id = ${appId} and user_id = ${userId}`,
  );
  return row?.count ?? 0;
}

/** By what an authenticator calls it, at this app and no other. */
export async function passkeyByCredential(
  q: Queryable,
  appId: string,
  credentialId: string,
): Promise<PasskeyKey | undefined> {
  const [row] = await q.query<Row & { public_key: Buffer; counter: string; handle: string }>(sql`
    select p.passkey_id, p.user_id, p.credential_id, p.rp_id, p.name, p.backup_eligible, p.public_key, p.counter, h.handle
    from passkeys p join passkey_handles h using (app_id, user_id)
    where p.app_id = ${appId} and p.credential_id = ${credentialId}`);
  if (!row) return undefined;
  return {
    passkeyId: row.passkey_id,
    userId: row.user_id,
    credentialId: row.credential_id,
    rpId: row.rp_id,
    name: row.name,
    backupEligible: row.backup_eligible,
    publicKey: new Uint8Array(row.public_key),
    counter: Number(row.counter),
    handle: row.handle,
  };
}

/** The handle that authenticators know this user by; `fresh` becomes it when there is none yet. */
export async function handleOf(
  q: Queryable,
  at: { appId: string; userId: string; fresh: string },
): Promise<string> {
  const [made] = await q.query<{ handle: string }>(sql`
    insert into passkey_handles (app_id, user_id, handle) values (${at.appId}, ${at.userId}, ${at.fresh})
    on conflict (app_id, user_id) do nothing returning handle`);
  if (made) return made.handle;
  const [known] = await q.query<{ handle: string }>(
    sql`select handle from passkey_handles where app_id = ${at.appId} and user_id = ${at.userId}`,
  );
  return known!.handle;
}

export type NewPasskey = Omit<Passkey, 'createdAt' | 'lastUsedAt'> & {
  appId: string;
  publicKey: Uint8Array;
  counter: number;
};

/** False when this app knows the credential already, whoever's it is. */
export async function insertPasskey(tx: Queryable, passkey: NewPasskey): Promise<boolean> {
  const rows = await tx.query(sql`
    insert into passkeys (app_id, passkey_id, user_id, credential_id, public_key, counter, rp_id, name, aaguid, transports, backup_eligible, backed_up, format)
    values (${passkey.appId}, ${passkey.passkeyId}, ${passkey.userId}, ${passkey.credentialId}, ${Buffer.from(passkey.publicKey)}, ${passkey.counter}, ${passkey.rpId},
      ${passkey.name}, ${passkey.aaguid}, ${passkey.transports}, ${passkey.backupEligible}, ${passkey.backedUp}, ${passkey.format})
    on conflict do nothing returning 1`);
  return rows.length === 1;
}

/**
 * Records a use. False when the passkey is gone, or when another use has moved its counter on meanwhile: the stored
 * counter never goes back (WebAuthn L3 §7.2).
 */
export async function recordUse(
  tx: Queryable,
  use: { appId: string; passkeyId: string; counter: number; backedUp: boolean },
): Promise<boolean> {
  const rows = await tx.query(sql`
    update passkeys set counter = ${use.counter}, backed_up = ${use.backedUp}, last_used_at = now()
    where app_id = ${use.appId} and passkey_id = ${use.passkeyId} and (counter < ${use.counter} or (counter = 0 and ${use.counter}::bigint = 0))
    returning 1`);
  return rows.length === 1;
}

export async function renamePasskey(
  q: Queryable,
  at: { appId: string; userId: string; passkeyId: string; name: string },
): Promise<boolean> {
  const rows = await q.query(sql`
    update passkeys set name = ${at.name}
    where app_id = ${at.appId} and user_id = ${at.userId} and passkey_id = ${at.passkeyId} returning 1`);
  return rows.length === 1;
}

/** The name of what was deleted; undefined when this user has no such passkey. */
export async function deletePasskey(
  tx: Queryable,
  at: { appId: string; userId: string; passkeyId: string },
): Promise<string | undefined> {
  const [row] = await tx.query<{ name: string }>(sql`
    delete from passkeys where app_id = ${at.appId} and user_id = ${at.userId} and passkey_id = ${at.passkeyId} returning name`);
  return row?.name;
}

/** All of a user's; how many there were. */
export async function deletePasskeys(tx: Queryable, appId: string, userId: string): Promise<number> {
  const rows = await tx.query(
    sql`delete from passkeys where app_id = ${appId} and user_id = ${userId} returning 1`,
  );
  return rows.length;
}

/** Those added since then. */
export async function deletePasskeysSince(
  tx: Queryable,
  at: { appId: string; userId: string; since: Date },
): Promise<void> {
  await tx.query(
    sql`delete from passkeys where app_id = ${at.appId} and user_id = ${at.userId} and created_at >= ${at.since}`,
  );
}
