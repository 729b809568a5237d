import type { Context } from 'koa';
import type { AppSettings } from '../../apps/app.ts';
import type { Config } from '../../config/config.ts';
import type { Queryable } from '../../storage/database.ts';

/** Something a person may do on the way in, and need not: its page is at `…/offer/{name}`, guarded by `onPending(deps, 'offer', …)`. */
export type Offer = {
  name: string;
  /** Asked in the transaction of the last proof. */
  isDue(
    q: Queryable,
    at: {
      ctx: Context;
      config: Pick<Config, 'isHttps'>;
      appId: string;
      userId: string;
      settings: AppSettings;
      amr: string[];
    },
  ): Promise<boolean>;
};
