import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again until it is so. What throws is not waited for. */
export async function patiently(
  what: string,
  ask: () => Promise<boolean> | boolean,
  limitMs = 60_000,
): Promise<void> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await sleep(50)) if (await ask()) return;
  throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
}

/** Whether it came to be so in time. */
export const inTime = (ask: () => Promise<boolean> | boolean, limitMs: number): Promise<boolean> =>
  patiently('', ask, limitMs).then(
    () => true,
    () => false,
  );
