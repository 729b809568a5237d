import type { Context } from 'koa';
import { clientAddress, networkOf } from '../../http/client-address.ts';
import { hit } from '../../http/rate-limit.ts';
import { digestOf } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import { tooManyFromNetwork } from '../errors.ts';

/** How many tries one network may make at one app within five minutes. */
export type NetworkLimits = { secrets: number; mails: number };

export const networkLimits: NetworkLimits = { secrets: 300, mails: 60 };

const WINDOW_SECONDS = 300;

type Throttle = { ephemeral: EphemeralStore; networkLimits?: NetworkLimits | undefined };

/** Problem `sign_in.too_many` when this network has tried too often. Comes before anything that depends on an account. */
export async function throttleNetwork(
  deps: Throttle,
  ctx: Context,
  at: { appId: string; what: keyof NetworkLimits },
): Promise<void> {
  const limit = (deps.networkLimits ?? networkLimits)[at.what];
  // Digested: the store holds no addresses.
  const key = `sign-in:${at.what}:${digestOf(networkOf(clientAddress(ctx)))}`;
  const { allowed, retryAfterSeconds } = await hit(deps.ephemeral, {
    appId: at.appId,
    key,
    limit,
    windowSeconds: WINDOW_SECONDS,
  });
  if (!allowed) throw tooManyFromNetwork(retryAfterSeconds);
}
