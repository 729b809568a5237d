import type { AppSettings } from '../../apps/app.ts';
import type { Queryable } from '../../storage/database.ts';

/** Something a person may do on the way in, and need not: its page is at `…/offer/{name}`, guarded by `onPending(deps, 'offer', …)`. */
export type Offer = {
  name: string;
  /** Asked in the transaction of the last proof. */
  isDue(
    q: Queryable,
    at: { appId: string; userId: string; settings: AppSettings; amr: string[] },
  ): Promise<boolean>;
};

/** One line each, in the order in which they are made. */
export const offers: readonly Offer[] = [];
