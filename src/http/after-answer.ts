import { AsyncLocalStorage } from 'node:async_hooks';
import type { Middleware } from 'koa';

type Answer = { isOut: boolean; works: (() => void)[] };

const current = new AsyncLocalStorage<Answer>();

/** Lets what runs inside a request leave work for the time after its answer. */
export function answers(): Middleware {
  return (ctx, next) => {
    const answer: Answer = { isOut: false, works: [] };
    // Sent, or the client has gone: there is nobody left whose waiting could tell them anything.
    ctx.res.once('close', () => {
      answer.isOut = true;
      for (const work of answer.works.splice(0)) current.exit(work);
    });
    return current.run(answer, next);
  };
}

/** Whether what runs belongs to a request, and is no chore beside them. */
export const isInRequest = (): boolean => current.getStore() !== undefined;

/**
 * Does it when the answer to this request is out; at once where there is no request or its answer is out already. For
 * what costs more for one address than for another. `work` must not throw.
 */
export function afterAnswer(work: () => void): void {
  const answer = current.getStore();
  if (answer === undefined || answer.isOut) current.exit(work);
  else answer.works.push(work);
}
