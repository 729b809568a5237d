type Slot<Value> = { key: string; value: Value; uses: number };

/** How many of what is kept are looked at, at most, for the least used one. */
const LOOKED_AT = 64;
/** Nothing is counted further: yesterday's favourites shall not take days to go. */
const MOST_USES = 255;

/**
 * A bounded map that forgets what is used least, not what was used longest ago: one pass over every key does not empty
 * it. Use counts are halved now and then, so that yesterday's favourites can go.
 */
export class FrequencyCache<Value> {
  readonly #slots: Slot<Value>[] = [];
  readonly #places = new Map<string, number>();
  readonly #capacity: number;
  /** How often what is not kept was asked for; made when something is offered and there is no room left. */
  #sketch: FrequencySketch | undefined;
  #asked = 0;
  /** Where the next search for the least used begins. */
  #hand = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#slots.length;
  }

  get(key: string): Value | undefined {
    this.#asked += 1;
    if (this.#asked >= this.#capacity * 16) this.#age();
    const slot = this.#slots[this.#places.get(key) ?? -1];
    if (!slot) {
      this.#sketch?.add(key);
      return undefined;
    }
    slot.uses = Math.min(MOST_USES, slot.uses + 1);
    return slot.value;
  }

  /** Without counting as use. What was just given may be deleted: its place is taken by one that was given before. */
  *entries(): Iterable<[string, Value]> {
    for (let place = this.#slots.length - 1; place >= 0; place -= 1) {
      const { key, value } = this.#slots[place]!;
      yield [key, value];
    }
  }

  /** What is new is always kept, in place of the least used where there is no room. */
  set(key: string, value: Value): void {
    if (this.#fits(key, value)) return;
    this.#replace(this.#leastUsed(), { key, value, uses: 1 });
  }

  /**
   * The same for what is dear to keep: where there is no room, what is new is kept only if it was asked for more often than
   * the least used (TinyLFU: Einziger, Friedman, Manes 2017). So where more keys take turns than there is room for, some
   * are found instead of none. For values that the caller can do without remembering.
   */
  offer(key: string, value: Value): void {
    if (this.#fits(key, value)) return;
    this.#sketch ??= new FrequencySketch(this.#capacity);
    const uses = this.#sketch.count(key);
    const least = this.#leastUsed();
    if (uses > this.#slots[least]!.uses) this.#replace(least, { key, value, uses });
  }

  delete(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    const last = this.#slots.pop()!;
    if (last.key !== key) this.#put(place, last);
  }

  clear(): void {
    this.#slots.length = 0;
    this.#places.clear();
    this.#sketch = undefined;
  }

  /** Whether it is kept without another having to go. */
  #fits(key: string, value: Value): boolean {
    const place = this.#places.get(key);
    if (place !== undefined) this.#slots[place]!.value = value;
    else if (this.#slots.length < this.#capacity) this.#put(this.#slots.length, { key, value, uses: 1 });
    else return false;
    return true;
  }

  #replace(place: number, slot: Slot<Value>): void {
    const gone = this.#slots[place]!;
    this.#places.delete(gone.key);
    this.#sketch?.raise(gone.key, gone.uses);
    this.#put(place, slot);
  }

  #put(place: number, slot: Slot<Value>): void {
    this.#slots[place] = slot;
    this.#places.set(slot.key, place);
  }

  /** Of the next ones: the first that was used but once, or the least used. The next search goes on behind it. */
  #leastUsed(): number {
    const { length } = this.#slots;
    let least = this.#hand % length;
    let looked = 0;
    for (; looked < Math.min(LOOKED_AT, length) && this.#slots[least]!.uses > 1; looked += 1) {
      const other = (this.#hand + looked) % length;
      if (this.#slots[other]!.uses < this.#slots[least]!.uses) least = other;
    }
    this.#hand = (this.#hand + Math.max(1, looked)) % length;
    return least;
  }

  #age(): void {
    this.#asked = 0;
    for (const slot of this.#slots) slot.uses = Math.ceil(slot.uses / 2);
    this.#sketch?.halve();
  }
}

const ROWS = 3;

/** About how often keys were asked for, in a byte or so for each: never too low, seldom too high (a count-min sketch). */
class FrequencySketch {
  readonly #counts: Uint8Array;
  readonly #mask: number;

  constructor(capacity: number) {
    const width = 2 ** Math.ceil(Math.log2(Math.max(64, capacity * 8)));
    this.#counts = new Uint8Array(width * ROWS);
    this.#mask = width - 1;
  }

  add(key: string): void {
    this.raise(key, this.count(key) + 1);
  }

  count(key: string): number {
    let least = MOST_USES;
    for (const at of this.#cells(key)) least = Math.min(least, this.#counts[at]!);
    return least;
  }

  raise(key: string, to: number): void {
    const bounded = Math.min(MOST_USES, to);
    for (const at of this.#cells(key)) this.#counts[at] = Math.max(this.#counts[at]!, bounded);
  }

  halve(): void {
    for (let at = 0; at < this.#counts.length; at += 1) this.#counts[at]! >>= 1;
  }

  /** FNV-1a, and the same mixed further for each other row. */
  #cells(key: string): number[] {
    let hash = 0x811c9dc5;
    for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    return Array.from({ length: ROWS }, (_, row) => {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
      return row * (this.#mask + 1) + ((hash ^ (hash >>> 13)) & this.#mask);
    });
  }
}
