import { digestOf } from '../../kernel/secret.ts';
import { seconds } from '../../kernel/duration.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';

/** What a person still has to do before they go on to the app. */
export type DueStep =
  /** Show a factor that they have. */
  | 'second_factor'
  /** Set one up, because the app or the request wants two. */
  | 'enrol'
  /** Look at the recovery codes that were just made. */
  | 'recovery_codes'
  /** Answer an offer, or pass it by. */
  | 'offer';

/** A sign-in whose first proof was spent. Nobody is signed in by it; the interaction's result is spent at the end. */
export type Pending = {
  /** `first_factor`: the person wants to begin anew, as somebody else perhaps. */
  due: DueStep | 'first_factor';
  /** Which offer is due. */
  offer?: string | undefined;
  /** Until when setting up may be put off, if it may. */
  laterUntil?: string | undefined;
  userId: string;
  /** Normalized; its user must still have it at the end. */
  identifier: string;
  /** Of the first proof, for the audit trail. */
  method: string;
  /** Of the second one, once it was shown. */
  second?: string | undefined;
  amr: string[];
  /** Epoch seconds by the database's clock: what ends all access after this ends the pending sign-in too. */
  provedAt: number;
  /** Of the session whose first proof counts, where a request only wants a second one. */
  authTimeSeconds?: number | undefined;
  /** What was put off or passed by: `enrol`, `offer:passkey`. */
  passed: string[];
};

type At = { appId: string; uid: string };

const TTL_SECONDS = 10 * seconds.minute;

// By digest: the uid is also the value of the browser's interaction cookie.
const keyOf = (uid: string): string => `pending-sign-in:${digestOf(uid)}`;

/** Lives ten minutes; without its interaction nobody gets at it. A later one of the same interaction takes its place. */
export async function keepPending(store: EphemeralStore, at: At, pending: Pending): Promise<void> {
  await store.put(at.appId, keyOf(at.uid), JSON.stringify(pending), { ttlSeconds: TTL_SECONDS });
}

export async function findPending(store: EphemeralStore, at: At): Promise<Pending | undefined> {
  const found = await store.read(at.appId, keyOf(at.uid));
  return found === undefined ? undefined : (JSON.parse(found) as Pending);
}

export async function dropPending(store: EphemeralStore, at: At): Promise<void> {
  await store.delete(at.appId, keyOf(at.uid));
}

/** Where the due step is, below the interaction's path. */
export function pageOf(pending: Pick<Pending, 'due' | 'offer'>): string {
  switch (pending.due) {
    case 'second_factor':
      return '/second-factor';
    case 'enrol':
      return '/enrol';
    case 'recovery_codes':
      return '/recovery-codes';
    case 'offer':
      return `/offer/${pending.offer}`;
    case 'first_factor':
      return '';
  }
}
