import { seconds } from '../../kernel/duration.ts';
import type { Signer, SigningAlgorithm } from './signer.ts';

/** A signing key as the process holds it. Times are milliseconds on the store's clock. */
export type SigningKey = {
  keyId: string;
  algorithm: SigningAlgorithm;
  publicJwk: Record<string, unknown>;
  activeAt: number;
  /** undefined: not superseded. */
  retiresAt: number | undefined;
  /** undefined once it was erased. */
  signer: Signer | undefined;
};

/** No token lives longer, whatever the settings say. */
export const MAX_TOKEN_TTL = seconds.day;

/** How long a superseded key stays published: the longest life, the tolerance of clocks, and requests under way when the next one took over. */
export const PUBLISHED_AFTER_SIGNING = MAX_TOKEN_TTL + 2 * seconds.minute;

/**
 * How long a key is published before it signs. A verifier may use a copy that a cache in between had held for
 * `maxAge` already; on top come the two seconds after which every process has seen the key, and some more.
 */
export const publicationLead = (maxAgeSeconds: number): number => 2 * maxAgeSeconds + 5;

export type KeyRing = {
  /** The key that signs, then the next one, then those that only verify. */
  published: readonly SigningKey[];
  /** Left the published set; ID tokens they signed still say, as hints, whose they were. */
  remembered: readonly SigningKey[];
};

const rings = new WeakMap<readonly SigningKey[], { ring: KeyRing; from: number; until: number }>();

/** Which key is what at a moment of the store's clock. `keys`: none that was compromised. */
export function ringAt(keys: readonly SigningKey[], now: number): KeyRing {
  const known = rings.get(keys);
  if (known && known.from <= now && now < known.until) return known.ring;
  const ring = makeRing(keys, now);
  const changes = keys.flatMap((key) => [key.activeAt, key.retiresAt ?? 0]).filter((time) => time > now);
  rings.set(keys, { ring, from: now, until: Math.min(...changes) });
  return ring;
}

function makeRing(keys: readonly SigningKey[], now: number): KeyRing {
  const newestFirst = keys.toSorted((a, b) => b.activeAt - a.activeAt || (a.keyId < b.keyId ? 1 : -1));
  const live = newestFirst.filter((key) => key.retiresAt === undefined || key.retiresAt > now);
  // The first key of all signs at once, even where the clocks disagree by a moment.
  const signing = live.find((key) => key.activeAt <= now && key.signer) ?? live.findLast((key) => key.signer);
  const others = live.filter((key) => key !== signing);
  return {
    published: signing ? [signing, ...others] : others,
    remembered: newestFirst.filter((key) => !live.includes(key)),
  };
}

/** Equal for rings whose keys have the same parts. */
export const nameOfRing = ({ published, remembered }: KeyRing): string =>
  [...published, { keyId: '|' }, ...remembered].map((key) => key.keyId).join();
