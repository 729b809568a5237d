import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** So much nicer than the process: a third of the processor's time where there is not enough of it. */
const NICER = 5;
const NICEST = 19;

/**
 * Lets the threads that hash and sign yield to the event loop, and to Postgres and Redis where they share its cores:
 * while all cores hash, whoever only wants a token or a refusal need not wait for a hash. Linux alone has priorities of
 * threads; elsewhere, and where a sandbox hides them, all stays as it is. The pool has to be running.
 */
export function letPoolYield(): void {
  const tasks = '/proc/self/task';
  try {
    const nice = Math.min(NICEST, getPriority() + NICER);
    for (const task of readdirSync(tasks))
      if (readFileSync(`${tasks}/${task}/comm`, 'latin1').trim() === 'libuv-worker')
        setPriority(Number(task), nice);
  } catch {
    // A server without it is a slower one, no other one.
  }
}
