import { AsyncLocalStorage } from 'node:async_hooks';

/** Until when what runs inside has to be answered, by `performance.now()`. */
type Deadline = { until: number };

const current = new AsyncLocalStorage<Deadline>();

/** Runs `work` with so much time. `begin` is handed on and gives it the whole time anew. */
export function withDeadline<T>(milliseconds: number, work: (begin: () => void) => T): T {
  const deadline = { until: performance.now() + milliseconds };
  const begin = (): void => {
    deadline.until = performance.now() + milliseconds;
  };
  return current.run(deadline, () => work(begin));
}

/** Runs what outlives its request. */
export const withoutDeadline = <T>(work: () => T): T => current.exit(work);

/** What is left, negative when it is over; undefined where nobody waits. */
export function remainingMs(): number | undefined {
  const deadline = current.getStore();
  return deadline && deadline.until - performance.now();
}
