import type { AppSnapshot } from '../../apps/app.ts';
import { homeOrigin } from '../../oidc/served.ts';

/** Whose passkeys a page may ask for (WebAuthn L3 §5.1.2), and where the page is. */
export type RelyingParty = { rpId: string; origin: string };

type Served = Pick<AppSnapshot, 'app' | 'domain'>;

/**
 * The app's RP ID is `passkey_rp_id`, else the host of its pages. Where a page's origin may not use that (as at the
 * address that an app is leaving, and that is no related origin), the page has its own host.
 */
export function relyingPartyAt(baseUrl: string, snapshot: Served, origin: string): RelyingParty {
  const host = new URL(origin).hostname;
  const wanted = rpIdOf(baseUrl, snapshot);
  const isRelated = snapshot.app.settings.passkey_related_origins.includes(origin);
  return { rpId: isRelated || isWithin(host, wanted) ? wanted : host, origin };
}

/** The RP ID at the place where the app is at home. */
export function rpIdOf(baseUrl: string, snapshot: Served): string {
  const home = new URL(homeOrigin(baseUrl, snapshot)).hostname;
  const chosen = snapshot.app.settings.passkey_rp_id;
  return chosen !== null && isWithin(home, chosen) ? chosen : home;
}

const isWithin = (host: string, rpId: string): boolean => host === rpId || host.endsWith(`.${rpId}`);
