import type { Transaction } from '../storage/database.ts';
import type { User } from '../users/user.ts';
import type { Attempt } from './lockout/attempt.ts';

/** What a method proved: who, how, and what must be spent for it. */
export type Evidence = {
  /** Name of the method, for the audit trail. */
  method: string;
  /** RFC 8176 where it has a word; nothing that did not happen. The `acr` follows from it. */
  amr: string[];
  /** The normalized identifier that was proved; its user must still have it. */
  identifier: string;
  /** The second method, where there were two. */
  second?: string | undefined;
  /** When the person proved who they are, where that was before: the session's, if only a second factor was added. */
  authTimeSeconds?: number | undefined;
  /** What they were asked on the way in and put off or passed by (second-factor/pending.ts). */
  passed?: readonly string[] | undefined;
  /** The attempt that was reserved for it, which did not fail after all. */
  attempt?: Attempt | undefined;
  /**
   * Runs first in the transaction that signs in: spends the proof and says who it is. A Problem refuses the
   * sign-in and gives everything back; undefined means that there is no such user any more.
   */
  who(tx: Transaction): Promise<User | undefined>;
  /** Whose it is, where nothing is spent for it and `who` only looks: what is asked about them need not wait for that. */
  userId?: string | undefined;
};
