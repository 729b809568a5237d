import type { Queryable } from '../../../storage/database.ts';
import { sql } from '../../../storage/sql.ts';

export type SecretRow = { secret_id: string; digest: string; created_at: Date; expires_at: Date | null };
type At = { appId: string; clientId: string };

/** Live secrets, newest first. */
export function liveSecrets(q: Queryable, at: At): Promise<SecretRow[]> {
  return q.query<SecretRow>(sql`
    select secret_id, digest, created_at, expires_at from client_secrets
    where app_id = ${at.appId} and client_id = ${at.clientId} and revoked_at is null and (expires_at is null or expires_at > now())
    order by created_at desc, secret_id desc`);
}

/** `expiresInSeconds` undefined: until it is revoked. */
export async function insertSecret(
  tx: Queryable,
  secret: At & { secretId: string; digest: string; expiresInSeconds: number | undefined; sealed?: string },
): Promise<SecretRow> {
  const [row] = await tx.query<SecretRow>(sql`
    insert into client_secrets (app_id, client_id, secret_id, digest, sealed, expires_at)
    values (${secret.appId}, ${secret.clientId}, ${secret.secretId}, ${secret.digest}, ${secret.sealed ?? null}, now() + ${secret.expiresInSeconds ?? null}::float8 * interval '1 second')
    returning secret_id, digest, created_at, expires_at`);
  return row!;
}

/** Every live secret but one gets at most so much longer. */
export async function expireOtherSecrets(
  tx: Queryable,
  at: At & { exceptId: string; inSeconds: number },
): Promise<void> {
  await tx.query(sql`
    update client_secrets set expires_at = least(expires_at, now() + ${at.inSeconds}::float8 * interval '1 second')
    where app_id = ${at.appId} and client_id = ${at.clientId} and secret_id <> ${at.exceptId} and revoked_at is null
      and (expires_at is null or expires_at > now())`);
}

/** Ends every live secret of a client. */
export async function revokeAllSecrets(tx: Queryable, at: At): Promise<void> {
  await tx.query(sql`
    update client_secrets set revoked_at = now(), sealed = null
    where app_id = ${at.appId} and client_id = ${at.clientId} and revoked_at is null`);
}

/** The digest goes on working; the secret itself is known to nobody here any more. */
export async function forgetSealedSecrets(tx: Queryable, at: At): Promise<void> {
  await tx.query(
    sql`update client_secrets set sealed = null where app_id = ${at.appId} and client_id = ${at.clientId} and sealed is not null`,
  );
}

/** False when there is no such live secret. */
export async function revokeSecret(tx: Queryable, at: At & { secretId: string }): Promise<boolean> {
  const rows = await tx.query(sql`
    update client_secrets set revoked_at = now(), sealed = null
    where app_id = ${at.appId} and client_id = ${at.clientId} and secret_id = ${at.secretId} and revoked_at is null
      and (expires_at is null or expires_at > now()) returning 1`);
  return rows.length === 1;
}
