import { AsyncLocalStorage } from 'node:async_hooks';
import type { Middleware } from 'koa';
import { withDeadline, withoutDeadline } from '../kernel/deadline.ts';

type Answer = { isOut: boolean; works: (() => void)[] };

const current = new AsyncLocalStorage<Answer>();

const outside = (work: () => void): void => current.exit(() => withoutDeadline(work));

/**
 * Lets what runs inside a request leave work for the time after its answer, and gives it so much time from when it was
 * read: who waits longer has gone, and comes again.
 */
export function answers({ requestTimeout }: { requestTimeout: number }): Middleware {
  return (ctx, next) => {
    const answer: Answer = { isOut: false, works: [] };
    // Sent, or the client has gone: there is nobody left whose waiting could tell them anything.
    ctx.res.once('close', () => {
      answer.isOut = true;
      for (const work of answer.works.splice(0)) outside(work);
    });
    return current.run(answer, () =>
      withDeadline(requestTimeout * 1000, (begin) => {
        // A body that takes long is not ours to answer for.
        ctx.req.once('end', begin);
        return next();
      }),
    );
  };
}

/** Whether what runs belongs to a request, and is no chore beside them. */
export const isInRequest = (): boolean => current.getStore() !== undefined;

/** Says of the request that this is called in whether its answer is out, or its client has gone. Never, where there is none. */
export function watchAnswer(): () => boolean {
  const answer = current.getStore();
  return () => answer?.isOut ?? false;
}

/**
 * Does it when the answer to this request is out; at once where there is no request or its answer is out already. For
 * what costs more for one address than for another. `work` must not throw.
 */
export function afterAnswer(work: () => void): void {
  const answer = current.getStore();
  if (answer === undefined || answer.isOut) outside(work);
  else answer.works.push(work);
}
