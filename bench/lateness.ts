const EVERY_MS = 2;

/**
 * How long this process did not get to what was due: the servers measured have the same cores, and an answer that lies
 * ready while the client is not running is not late. `lost` only grows; its difference belongs to the time between.
 */
export function watchLateness(): { lost(): number; stop(): void } {
  let sum = 0;
  let due = performance.now() + EVERY_MS;
  const since = (now: number): number => Math.max(0, now - due - 1);
  const timer = setInterval(() => {
    const now = performance.now();
    sum += since(now);
    due = now + EVERY_MS;
  }, EVERY_MS);
  return {
    // What is being read now may have come before the timer was looked at.
    lost: () => sum + since(performance.now()),
    stop: () => clearInterval(timer),
  };
}
