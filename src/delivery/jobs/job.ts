import { randomInt } from 'node:crypto';
/** Work to be done after the commit that asked for it, at least once. */
export type Job = {
  appId: string;
  jobId: string;
  kind: string;
  payload: unknown;
  /** How often it was begun, this time included. */
  attempt: number;
};

export type JobHandler = (job: Job) => Promise<void>;

/** Thrown by a handler when trying again can not help. */
export class GiveUp extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'GiveUp';
  }
}

/** After so many attempts a job is given up: a little more than a day after the first. */
export const MAX_ATTEMPTS = 12;

/** Seconds to wait after the n-th failed attempt: 5 s, 15 s, 45 s … at most three hours; a fifth of it by chance, so that a recovering server is not stormed. */
export function backoffSeconds(attempt: number, chance: number = randomInt(1000) / 1000): number {
  return Math.min(5 * 3 ** (attempt - 1), 10_800) * (0.9 + 0.2 * chance);
}
