import type { Context } from 'koa';
import { clientAddress, networkOf } from '../../http/client-address.ts';
import { hit } from '../../http/rate-limit.ts';
import { seconds } from '../../kernel/duration.ts';
import { digestOf } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import { tooManyFromNetwork } from '../errors.ts';

/** How many secrets one network may try and how many mails it may have sent, to whatever addresses, at one app. */
export type NetworkLimits = Record<'secrets' | 'mails', readonly { limit: number; windowSeconds: number }[]>;

export const networkLimits: NetworkLimits = {
  secrets: [{ limit: 300, windowSeconds: 5 * seconds.minute }],
  mails: [
    { limit: 60, windowSeconds: 5 * seconds.minute },
    { limit: 300, windowSeconds: seconds.hour },
  ],
};

type Throttle = { ephemeral: EphemeralStore; networkLimits?: NetworkLimits | undefined };

/** Problem `sign_in.too_many` when this network has tried too often. Comes before anything that depends on an account. */
export async function throttleNetwork(
  deps: Throttle,
  ctx: Context,
  at: { appId: string; what: keyof NetworkLimits },
): Promise<void> {
  // Digested: the store holds no addresses.
  const network = digestOf(networkOf(clientAddress(ctx)));
  for (const { limit, windowSeconds } of (deps.networkLimits ?? networkLimits)[at.what]) {
    const key = `sign-in:${at.what}:${windowSeconds}:${network}`;
    const { allowed, retryAfterSeconds } = await hit(deps.ephemeral, {
      appId: at.appId,
      key,
      limit,
      windowSeconds,
    });
    if (!allowed) throw tooManyFromNetwork(retryAfterSeconds);
  }
}
