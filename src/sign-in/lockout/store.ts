import type { Queryable } from '../../storage/database.ts';
import { type Part, part, sql } from '../../storage/sql.ts';
import type { Origin } from './attempt.ts';

export type FailureKey = { appId: string; subject: string; origin: Origin };

/**
 * Counts an attempt before its secret is looked at and says whether it may be looked at. One statement: the
 * row's lock puts parallel attempts in order, so that none is lost and no sixth one slips in. The fifth try
 * since the last lock is let through and locks behind itself, for 1, 5, 15, then 60 minutes; a day without
 * attempts forgets. Attempts refused while locked count as failures but never lengthen the lock.
 */
export async function reserveTry(q: Queryable, at: FailureKey): Promise<boolean> {
  const key = part`select ${at.appId}, ${at.subject}, ${at.origin}`;
  const [row] = await q.query<{ let_through: boolean }>(sql`${countingTry(key)}`);
  return row!.let_through;
}

/** `let_through`, `origin`. `key`: selects app, subject and origin, one row. */
export const countingTry = (key: Part): Part =>
  part`insert into sign_in_failures as f (app_id, subject, origin, failures, tries)
    select key.app_id, key.subject, key.origin, 1, 1 from (${key}) as key (app_id, subject, origin)
    on conflict (app_id, subject, origin) do update set
      failures = f.failures + 1,
      let_through = coalesce(f.locked_until <= clock_timestamp(), true),
      tries = case
        when f.locked_until > clock_timestamp() then f.tries
        when f.last_failed_at < clock_timestamp() - interval '1 day' then 1
        when f.tries >= 4 then 0
        else f.tries + 1 end,
      lockouts = case
        when f.locked_until > clock_timestamp() then f.lockouts
        when f.last_failed_at < clock_timestamp() - interval '1 day' then 0
        when f.tries >= 4 then f.lockouts + 1
        else f.lockouts end,
      locked_until = case
        when f.locked_until > clock_timestamp() then f.locked_until
        when f.last_failed_at < clock_timestamp() - interval '1 day' then null
        when f.tries >= 4 then clock_timestamp() + (array[1, 5, 15, 60])[least(f.lockouts + 1, 4)] * interval '1 minute'
        else f.locked_until end,
      last_failed_at = clock_timestamp()
    returning let_through, origin`;

/** After a success: this origin starts anew, other origins keep their count. */
export async function clearFailures(q: Queryable, at: FailureKey): Promise<void> {
  await q.query(sql`${clearingFailures(at, part``)}`);
}

/** `of`: what it hangs on, as one more condition. */
export const clearingFailures = (at: FailureKey, of: Part): Part =>
  part`delete from sign_in_failures where app_id = ${at.appId} and subject = ${at.subject} and origin = ${at.origin} ${of}`;

/** After a recovery: every origin starts anew. Wrong mailed codes stay counted: a recovery is a mail itself. */
export async function clearAllFailures(q: Queryable, appId: string, subject: string): Promise<void> {
  await q.query(
    sql`delete from sign_in_failures where app_id = ${appId} and subject = ${subject} and origin not like 'mailed_code%'`,
  );
}

/** Under which codes from mails are counted; a colon and a device may follow. */
export const MAILED_CODE = 'mailed_code';

/** Counts one code before it is compared and returns how many there were today; a day begins with its first. */
export async function countCode(q: Queryable, { appId, subject, origin }: FailureKey): Promise<number> {
  const [row] = await q.query<{ failures: number }>(sql`
    insert into sign_in_failures as f (app_id, subject, origin, failures)
    values (${appId}, ${subject}, ${origin}, 1)
    on conflict (app_id, subject, origin) do update set
      failures = case when f.since < clock_timestamp() - interval '1 day' then 1 else f.failures + 1 end,
      since = case when f.since < clock_timestamp() - interval '1 day' then clock_timestamp() else f.since end,
      last_failed_at = clock_timestamp()
    returning failures`);
  return row!.failures;
}

/** The code was right: it does not count. */
export async function uncountCode(q: Queryable, { appId, subject, origin }: FailureKey): Promise<void> {
  await q.query(sql`
    update sign_in_failures set failures = greatest(failures - 1, 0)
    where app_id = ${appId} and subject = ${subject} and origin = ${origin}`);
}

export async function codesToday(q: Queryable, appId: string, subject: string): Promise<number> {
  const [row] = await q.query<{ failures: number }>(sql`
    select failures from sign_in_failures
    where app_id = ${appId} and subject = ${subject} and origin = ${MAILED_CODE} and since >= now() - interval '1 day'`);
  return row?.failures ?? 0;
}
