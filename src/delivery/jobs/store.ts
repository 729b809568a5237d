import type { Queryable } from '../../storage/database.ts';
import { sql } from '../../storage/sql.ts';

export type NewJob = {
  appId: string;
  jobId: string;
  kind: string;
  payload: string;
  delaySeconds: number;
  expiresInSeconds: number | undefined;
};

/** Adds a job in the caller's transaction (the server's role). `payload` is sealed. */
export async function insertJob(tx: Queryable, job: NewJob): Promise<void> {
  await tx.query(sql`
    insert into jobs (app_id, job_id, kind, payload, run_at, expires_at)
    values (${job.appId}, ${job.jobId}, ${job.kind}, ${job.payload}, now() + ${job.delaySeconds} * interval '1 second',
      now() + ${job.expiresInSeconds ?? null}::float8 * interval '1 second')`);
}
