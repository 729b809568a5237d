const EVERY_MS = 20;
const WINDOW_MS = 200;
const LEAST_SAMPLES = 3;
/** With fewer requests under way nobody waits behind anybody: then it is the machine that is late, and refusing helps no one. */
const LEAST_UNDER_WAY = 4;

/** What this process is asked about itself. */
export type Signals = {
  /** Requests that are not answered yet. */
  underWay(): number;
  /** How long the first in the queue of password hashes has been waiting. */
  hashWaitMs(): number;
};

/** What the event loop and the queue of hashes may be behind when all is well. */
const AIM = { loopMs: 100, hashMs: 500 } as const;

/**
 * Looks every 20 ms how late the event loop is, and how long a hash waits, and tells `onWindow` of each fifth of a second
 * the median, as a multiple of what is aimed at: one long collection is no overload. Runs while `isNeeded` only.
 */
export function createProbe(at: {
  signals: Signals;
  isNeeded: () => boolean;
  onWindow: (behind: number, seconds: number) => void;
}): { start(): void } {
  let isRunning = false;
  let samples: number[] = [];
  let begun = 0;
  let due = 0;
  const next = (now: number): void => {
    due = now + EVERY_MS;
    setTimeout(look, EVERY_MS).unref();
  };
  const look = (): void => {
    const now = performance.now();
    samples.push(behind(at.signals, now - due));
    if (now - begun >= WINDOW_MS && samples.length >= LEAST_SAMPLES) {
      at.onWindow(medianOf(samples), (now - begun) / 1000);
      samples = [];
      begun = now;
      if (!at.isNeeded()) {
        isRunning = false;
        return;
      }
    }
    next(now);
  };
  return {
    start() {
      if (isRunning) return;
      isRunning = true;
      samples = [];
      begun = performance.now();
      next(begun);
    },
  };
}

function behind(signals: Signals, loopMs: number): number {
  if (signals.underWay() < LEAST_UNDER_WAY) return 0;
  return Math.max(loopMs / AIM.loopMs, signals.hashWaitMs() / AIM.hashMs);
}

const medianOf = (samples: number[]): number => samples.sort((a, b) => a - b)[samples.length >> 1]!;
