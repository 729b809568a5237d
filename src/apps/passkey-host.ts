import type { Queryable } from '../storage/database.ts';
import { isPublicSuffix } from './domains/domain-name.ts';
import { domainsOf } from './domains/operator-store.ts';
import { settingsInvalid } from './errors.ts';

/**
 * Problem `apps.settings_invalid` for a `passkey_rp_id` that no browser would take at any place where the app's pages are
 * or will be: BASE_URL, and the domains that it has, leaves or has claimed (WebAuthn L3 §5.1.2, HTML "is a registrable
 * domain suffix of or is equal to"). `appId` undefined: an app that is being made.
 */
export async function requirePasskeyHost(
  q: Queryable,
  { baseUrl, appId }: { baseUrl: string; appId: string | undefined },
  settings: Record<string, unknown> | undefined,
): Promise<void> {
  const rpId = settings?.['passkey_rp_id'];
  if (typeof rpId !== 'string') return;
  const domains = appId === undefined ? [] : await domainsOf(q, appId);
  const hosts = [new URL(baseUrl).hostname, ...domains.map(({ domain }) => domain)];
  if (hosts.includes(rpId)) return;
  if (!isPublicSuffix(rpId) && hosts.some((host) => host.endsWith(`.${rpId}`))) return;
  throw settingsInvalid(
    'settings.passkey_rp_id',
    `must be ${hosts.join(' or ')}, or a domain above it that belongs to you: browsers make no passkeys for anything else at the pages of this app. If the app shall have a domain, claim that first`,
  );
}
