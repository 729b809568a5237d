import { networkOf } from '../../http/client-address.ts';
import { hit } from '../../http/rate-limit.ts';
import { digestOf } from '../../kernel/secret.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';

/** Codes that may be typed within ten minutes. Right ones count too: what is counted first can not be raced (RFC 8628 §5.1). */
export const codeTries = { ofNetwork: 60, ofSession: 10, windowSeconds: 600 } as const;

/** Counts one more code typed by this network and in this session; false when it is one too many. */
export async function mayTryUserCode(
  ephemeral: EphemeralStore,
  who: { address: string; session?: string | undefined },
): Promise<boolean> {
  const { ofNetwork, ofSession, windowSeconds } = codeTries;
  const within = async (key: string, limit: number): Promise<boolean> => {
    // For the deployment as a whole: a guess is worth the same at every app.
    const counted = { appId: 'console', key: `user-code:${digestOf(key)}`, limit, windowSeconds };
    return (await hit(ephemeral, counted)).allowed;
  };
  const ofThisNetwork = await within(`network:${networkOf(who.address)}`, ofNetwork);
  return ofThisNetwork && (who.session === undefined || (await within(`session:${who.session}`, ofSession)));
}
