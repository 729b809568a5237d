import { afterAnswer } from '../../http/after-answer.ts';
import { newId } from '../../kernel/id.ts';
import { type RootKeys, seal } from '../../kernel/secret.ts';
import type { Transaction } from '../../storage/database.ts';
import { insertJob } from './store.ts';

export type EnqueueDeps = {
  rootKeys: RootKeys;
  /** Called after the commit and the answer: the worker of this process looks then instead of at its next round. */
  wake: () => void;
};

export type JobOrder = {
  appId: string;
  kind: string;
  payload: object;
  delaySeconds?: number;
  expiresInSeconds?: number;
};

/** Adds a job to the caller's transaction: it is done if, and only if, that commits. The payload is sealed. Answers its id. */
export async function enqueueJob(tx: Transaction, deps: EnqueueDeps, order: JobOrder): Promise<string> {
  const jobId = newId('job');
  const { appId, kind } = order;
  const payload = seal(deps.rootKeys, payloadAt(appId, jobId), JSON.stringify(order.payload));
  await insertJob(tx, {
    appId,
    jobId,
    kind,
    payload,
    delaySeconds: order.delaySeconds ?? 0,
    expiresInSeconds: order.expiresInSeconds,
  });
  // A mail in the making takes milliseconds of the processor, and is not the same for everybody: no answer waits for it.
  tx.afterCommit(() => afterAnswer(deps.wake));
  return jobId;
}

/** Where the payload of a job is sealed. */
export function payloadAt(appId: string, jobId: string) {
  return { appId, table: 'jobs', row: jobId, column: 'payload' };
}
