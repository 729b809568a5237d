type Entry<Value> = { value: Value; uses: number };

/**
 * A bounded map that forgets what is used least, not what was used longest ago: one pass over every key does
 * not empty it. Use counts are halved now and then, so that yesterday's favourites can go.
 */
export class FrequencyCache<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #capacity: number;
  #reads = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    entry.uses += 1;
    this.#reads += 1;
    if (this.#reads >= this.#capacity * 16) this.#age();
    return entry.value;
  }

  /** Without counting as use. */
  *entries(): Iterable<[string, Value]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  set(key: string, value: Value): void {
    const known = this.#entries.get(key);
    if (known) {
      known.value = value;
      return;
    }
    if (this.#entries.size >= this.#capacity) this.#evictOne();
    this.#entries.set(key, { value, uses: 1 });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The least used of the oldest 64, or the first of them that was used but once: close to the true minimum at a bounded price. */
  #evictOne(): void {
    const looked: [string, Entry<Value>][] = [];
    for (const pair of this.#entries) {
      looked.push(pair);
      if (pair[1].uses <= 1 || looked.length === 64) break;
    }
    const victim = looked.reduce((least, pair) => (pair[1].uses < least[1].uses ? pair : least), looked[0]!);
    for (const [key, entry] of looked) {
      this.#entries.delete(key);
      // Survivors move to the back, so that the next eviction looks at others.
      if (key !== victim[0]) this.#entries.set(key, entry);
    }
  }

  #age(): void {
    this.#reads = 0;
    for (const entry of this.#entries.values()) entry.uses = Math.ceil(entry.uses / 2);
  }
}
