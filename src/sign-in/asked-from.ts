import type { Context } from 'koa';
import { clientAddress } from '../http/client-address.ts';
import { deviceOf } from '../users/devices/device-name.ts';
import type { AskedFrom } from '../users/email-changes/store.ts';

/** Where a request came from, as far as it can be told to the person it was made for. */
export function askedFrom(ctx: Context): AskedFrom {
  const { browser, os } = deviceOf(ctx.get('User-Agent'));
  return {
    // The network address: no geography is looked up, and a wrong town would be worse than none.
    place: clientAddress(ctx),
    device: { browser, os },
    requestedAt: new Date().toISOString(),
  };
}
