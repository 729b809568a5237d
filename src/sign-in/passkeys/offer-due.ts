import { canMakePasskeys, isSettled } from './device-hints.ts';
import type { Offer } from '../second-factor/offer.ts';

/**
 * Whoever got in by other means is asked whether to have a passkey here, in a browser that can make one, until they say
 * no or have one: also somebody whose passkeys are all on another device.
 */
export const passkeyOffer: Offer = {
  name: 'passkey',
  isDue: async (_q, { ctx, config, appId, userId, settings, amr }) =>
    settings.methods.passkey &&
    !amr.includes('hwk') &&
    !amr.includes('swk') &&
    canMakePasskeys(ctx, config) &&
    !isSettled(ctx, config, { appId, userId }),
};
