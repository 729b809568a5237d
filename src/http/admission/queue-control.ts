/** How late things may be; 1 is what is aimed at. Further behind than this tells nothing more. */
const FURTHEST = 4;
const MOST_REFUSED = 0.97;
/** RFC 8033 §4.2 has the same two terms: how far from the aim, and which way it goes, which keeps it from swinging. */
const DISTANCE = 0.04;
const DIRECTION = 0.12;
const STEP_UP = 0.2;
const STEP_DOWN = 0.06;
/** Standing for so many windows: what comes in one burst is worked off, not refused (RFC 8289 §3.1). */
const STANDING = 2;

export type QueueControl = {
  /** The share that is refused, 0 to 1. */
  share(): number;
  /** Once in each window, with how far behind it was, as a multiple of what is aimed at. */
  update(behind: number): void;
};

/** Refuses the share of what comes at which what is taken in waits about as long as is aimed at, whatever its cost. */
export function createQueueControl(): QueueControl {
  let share = 0;
  let last = 0;
  let standing = 0;
  return {
    share: () => share,
    update(measured) {
      const behind = Math.min(measured, FURTHEST);
      standing = behind > 1 ? standing + 1 : 0;
      const step = DISTANCE * (behind - 1) + DIRECTION * (behind - last);
      last = behind;
      if (share === 0 && standing < STANDING) return;
      share += Math.min(STEP_UP, Math.max(-STEP_DOWN, step));
      // Nobody waits at all: what is left of it would refuse people for nothing.
      if (behind === 0) share *= 0.8;
      share = Math.min(MOST_REFUSED, Math.max(0, share));
      if (share < 0.01) share = 0;
    },
  };
}
