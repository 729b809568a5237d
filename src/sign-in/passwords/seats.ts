import { watchAnswer } from '../../http/after-answer.ts';
import { remainingMs } from '../../kernel/deadline.ts';
import { tooBusyToHash } from './errors.ts';

type Waiting = { since: number; take(): boolean };

export type Seats = {
  /** Runs `work` in a seat. Problem `password.busy` when too many wait, or none was free in time. */
  seated<T>(work: () => Promise<T>): Promise<T>;
  isFull(): boolean;
  waitedMs(): number;
};

/** So many at once, the others in a queue. Who has gone before anything was done for them gets no seat: nobody would read the answer. Nor
 * does anybody wait longer than their request may take: on a busy machine even a short queue takes long. */
export function createSeats(at: {
  count: number;
  /** Nobody is refused without it. */
  queueLimit?: number;
  onWaiting?: (count: number) => void;
  /** Nothing has been counted or written for those who wait here. */
  isUntouched: boolean;
}): Seats {
  const queue: Waiting[] = [];
  let taken = 0;
  const told = (): void => at.onWaiting?.(queue.length);
  const wait = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const isGone = watchAnswer();
      const left = remainingMs();
      const timer = left === undefined ? undefined : setTimeout(() => leave(), Math.max(0, left));
      const one: Waiting = {
        since: performance.now(),
        take() {
          clearTimeout(timer);
          const isServed = !(at.isUntouched && isGone());
          if (isServed) resolve();
          else reject(tooBusyToHash());
          return isServed;
        },
      };
      const leave = (): void => {
        queue.splice(queue.indexOf(one), 1);
        told();
        reject(tooBusyToHash());
      };
      queue.push(one);
      told();
    });
  const release = (): void => {
    // A seat is handed over rather than freed: nobody who comes later can overtake.
    for (let next = queue.shift(); next; next = queue.shift()) {
      if (!next.take()) continue;
      told();
      return;
    }
    told();
    taken -= 1;
  };
  const isFull = (): boolean => taken >= at.count && queue.length >= (at.queueLimit ?? Infinity);
  return {
    isFull,
    waitedMs: () => (queue[0] ? performance.now() - queue[0].since : 0),
    async seated(work) {
      if (isFull()) throw tooBusyToHash();
      if (taken >= at.count) await wait();
      else taken += 1;
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
