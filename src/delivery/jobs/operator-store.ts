import type { Database } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

export type ClaimedJob = { app_id: string; job_id: string; kind: string; payload: string; attempts: number };

/**
 * Takes up to `most` due jobs of these kinds for `leaseSeconds`: two processes never hold the same one at once,
 * and one whose process dies is due again when the lease is over.
 */
export function claimDueJobs(
  db: Database,
  claim: { kinds: string[]; most: number; leaseSeconds: number },
): Promise<ClaimedJob[]> {
  return db.query<ClaimedJob>(
    undefined,
    sql`update jobs set attempts = attempts + 1, run_at = now() + ${claim.leaseSeconds} * interval '1 second'
        where (app_id, job_id) in (
          select app_id, job_id from jobs
          where failed_at is null and run_at <= now() and kind = any(${claim.kinds}) and (expires_at is null or expires_at > now())
          order by run_at limit ${claim.most} for update skip locked)
        returning app_id, job_id, kind, payload, attempts`,
  );
}

type JobKey = Pick<ClaimedJob, 'app_id' | 'job_id'>;

export async function removeJob(db: Database, job: JobKey): Promise<void> {
  await db.query(undefined, sql`delete from jobs where app_id = ${job.app_id} and job_id = ${job.job_id}`);
}

export async function postponeJob(
  db: Database,
  job: JobKey,
  after: { seconds: number; error: string },
): Promise<void> {
  await db.query(
    undefined,
    sql`update jobs set run_at = now() + ${after.seconds} * interval '1 second', last_error = ${after.error}
        where app_id = ${job.app_id} and job_id = ${job.job_id}`,
  );
}

export async function giveJobUp(db: Database, job: JobKey, error: string): Promise<void> {
  await db.query(
    undefined,
    sql`update jobs set failed_at = now(), last_error = ${error} where app_id = ${job.app_id} and job_id = ${job.job_id}`,
  );
}

/** Removes what is not worth doing any more, and what was given up a week ago. The kinds of what expired. */
export async function removeStaleJobs(db: Database): Promise<string[]> {
  const rows = await db.query<{ kind: string; failed: boolean }>(
    undefined,
    sql`delete from jobs where (failed_at is null and expires_at <= now()) or failed_at < now() - interval '7 days'
        returning kind, failed_at is not null as failed`,
  );
  return rows.filter((row) => !row.failed).map((row) => row.kind);
}

export async function countPendingJobs(db: Database): Promise<number> {
  const [row] = await db.query<{ pending: string }>(
    undefined,
    sql`select count(*) as pending from jobs where failed_at is null`,
  );
  return Number(row?.pending ?? 0);
}
