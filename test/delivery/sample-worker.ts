import type { RootKeys } from '../../src/kernel/secret.ts';
import { Worker, type WorkerDeps } from '../../src/delivery/worker.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { TestDatabase } from '../support/stores.ts';

export const rootKeys: RootKeys = [Buffer.from(Array.from({ length: 32 }, (_, i) => i + 1))];

export function sampleWorker(database: TestDatabase, changes: Partial<WorkerDeps> = {}): Worker {
  return new Worker({
    operatorDb: database.operatorDb,
    rootKeys,
    log: silentLogger,
    metrics: createMetrics(),
    pollMs: 60_000,
    ...changes,
  });
}

export type JobRow = {
  job_id: string;
  kind: string;
  payload: string;
  attempts: number;
  last_error: string | null;
  failed_at: Date | null;
  due: boolean;
};

export function jobRows(database: TestDatabase): Promise<JobRow[]> {
  return database.operatorDb.query<JobRow>(undefined, {
    name: '',
    text: 'select job_id, kind, payload, attempts, last_error, failed_at, run_at <= now() as due from jobs',
    values: [],
  });
}

export function change(database: TestDatabase, text: string): Promise<unknown> {
  return database.operatorDb.query(undefined, { name: '', text, values: [] });
}
