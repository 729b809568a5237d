/**
 * The store's clock, as seen from this process: what the last answers that carried its time say. For what all
 * processes have to do at the same moment; whatever is decided in a statement asks the store itself.
 */
export class StoreClock {
  #ahead = 0;

  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  /** `storeTime` was read by the store between `askedAt` (this process's clock) and now. */
  saw(storeTime: number, askedAt: number): void {
    const answeredAt = Date.now();
    // A slow answer, or a clock that was set in between, says too little.
    if (answeredAt < askedAt || answeredAt - askedAt > 2000) return;
    this.#ahead = storeTime - (askedAt + answeredAt) / 2;
  }
}
