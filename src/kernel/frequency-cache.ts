type Slot<Value> = { key: string; value: Value; uses: number };

/** How many of what is kept are looked at for the least used one. */
const LOOKED_AT = 8;

/**
 * A bounded map that keeps what is used most, not what was used last: what is new takes the place of another only if
 * it was asked for more often (TinyLFU: Einziger, Friedman, Manes 2017). So a pass over every key empties nothing and,
 * where more keys take turns than there is room for, some of them are found instead of none. Counts are halved now and
 * then, so that yesterday's favourites can go. The least used is sought among a few, the next few each time.
 */
export class FrequencyCache<Value> {
  readonly #slots: Slot<Value>[] = [];
  readonly #places = new Map<string, number>();
  readonly #capacity: number;
  /** How often what is not kept was asked for; made when there is no room left. */
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
    slot.uses += 1;
    return slot.value;
  }

  /** Without counting as use. What was just given may be deleted: its place is taken by one that was given before. */
  *entries(): Iterable<[string, Value]> {
    for (let place = this.#slots.length - 1; place >= 0; place -= 1) {
      const { key, value } = this.#slots[place]!;
      yield [key, value];
    }
  }

  /** May keep nothing: when there is no room and everything looked at is used as often. */
  set(key: string, value: Value): void {
    const place = this.#places.get(key);
    if (place !== undefined) {
      this.#slots[place]!.value = value;
      return;
    }
    if (this.#slots.length < this.#capacity) return this.#put(this.#slots.length, { key, value, uses: 1 });
    this.#sketch ??= new FrequencySketch(this.#capacity);
    const uses = this.#sketch.count(key);
    const least = this.#leastUsed();
    const victim = this.#slots[least]!;
    if (uses <= victim.uses) return;
    this.#places.delete(victim.key);
    this.#sketch.raise(victim.key, victim.uses);
    this.#put(least, { key, value, uses });
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

  #put(place: number, slot: Slot<Value>): void {
    this.#slots[place] = slot;
    this.#places.set(slot.key, place);
  }

  #leastUsed(): number {
    let least = this.#hand % this.#slots.length;
    for (let looked = 1; looked < LOOKED_AT; looked += 1) {
      const other = (this.#hand + looked) % this.#slots.length;
      if (this.#slots[other]!.uses < this.#slots[least]!.uses) least = other;
    }
    this.#hand = (this.#hand + LOOKED_AT) % this.#slots.length;
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
    let least = 255;
    for (const at of this.#cells(key)) least = Math.min(least, this.#counts[at]!);
    return least;
  }

  raise(key: string, to: number): void {
    const bounded = Math.min(255, to);
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
