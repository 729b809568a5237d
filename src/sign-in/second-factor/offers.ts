import { passkeyOffer } from '../passkeys/offer-due.ts';
import type { Offer } from './offer.ts';

/** One line each, in the order in which they are made. */
export const offers: readonly Offer[] = [passkeyOffer];
