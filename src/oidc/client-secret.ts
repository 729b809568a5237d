import type { Client } from '../apps/app.ts';
import { digestOf, sameSecret } from '../kernel/secret.ts';

/** Whether it is one of the client's live secrets. Each is compared; digests of 256 random bits need no slow hash. */
export function hasLiveSecret(client: Client | undefined, presented: string): boolean {
  const digest = digestOf(presented);
  const now = Date.now();
  let matches = false;
  for (const secret of client?.secrets ?? [])
    if (!secret.expiresAt || secret.expiresAt.getTime() > now)
      matches = sameSecret(secret.digest, digest) || matches;
  return matches;
}
