import type { Database } from './database.ts';
import { sql } from './sql.ts';

/** How many expired rows one statement removes at most: a long backlog must not lock a table for long. */
const BATCH = 5000;

/**
 * Removes what has expired, in all apps (operator's role). Nothing depends on it for correctness: expired rows are
 * invisible to every reader before they are gone. Returns how many rows went.
 */
export async function sweepExpired(operatorDb: Database): Promise<number> {
  const statements = [
    sql`with gone as (select ctid from ephemeral where expires_at < now() limit ${BATCH}) delete from ephemeral using gone where ephemeral.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from spent where expires_at < now() limit ${BATCH}) delete from spent using gone where spent.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from denied_tokens where expires_at < now() limit ${BATCH}) delete from denied_tokens using gone where denied_tokens.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from idempotency_keys where expires_at < now() limit ${BATCH}) delete from idempotency_keys using gone where idempotency_keys.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from email_changes where expires_at < now() limit ${BATCH}) delete from email_changes using gone where email_changes.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from email_undos where expires_at < now() limit ${BATCH}) delete from email_undos using gone where email_undos.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from sign_in_failures where last_failed_at < now() - interval '2 days' limit ${BATCH}) delete from sign_in_failures using gone where sign_in_failures.ctid = gone.ctid returning 1`,
    // A session's tombstone stays until its absolute limit (one that nobody ended is ended first, so that its clients
    // are told: users/logout/end-expired.ts), a grant's as long as its tokens could have lived.
    sql`with gone as (select ctid from sessions where absolute_expires_at < now() and ended_at is not null limit ${BATCH}) delete from sessions using gone where sessions.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from trusted_devices where expires_at < now() limit ${BATCH}) delete from trusted_devices using gone where trusted_devices.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from refresh_tokens where expires_at < now() - interval '1 day' limit ${BATCH}) delete from refresh_tokens using gone where refresh_tokens.ctid = gone.ctid returning 1`,
    sql`with gone as (select ctid from grants where expires_at < now() - interval '1 day' limit ${BATCH}) delete from grants using gone where grants.ctid = gone.ctid returning 1`,
  ];
  let removed = 0;
  for (const statement of statements) removed += (await operatorDb.query(undefined, statement)).length;
  return removed;
}
