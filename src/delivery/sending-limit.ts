import { deriveKey, macOf, type RootKeys } from '../kernel/secret.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';

/** At most so many mails to one address of one app in ten minutes. */
export const MAILS_PER_WINDOW = 3;
const WINDOW_SECONDS = 600;

/**
 * Counts one more mail and says whether it may be sent. When not, the caller enqueues it with `discard`, so that
 * the page looks and takes the same. The address is stored as a MAC: a store that leaks must not list addresses.
 */
export async function mayMail(
  deps: { store: Pick<EphemeralStore, 'increment'>; rootKeys: RootKeys },
  appId: string,
  to: string,
): Promise<boolean> {
  const subject = macOf(deriveKey(deps.rootKeys[0], 'sending limit'), to);
  return (await deps.store.increment(appId, `mails:${subject}`, WINDOW_SECONDS)) <= MAILS_PER_WINDOW;
}
