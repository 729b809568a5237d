import type { Client } from '../app.ts';
import { sectorOf } from '../clients/sector.ts';
import { macOf } from '../../kernel/secret.ts';

/** `sub` of a user as one client knows it (OpenID Connect Core §8): the same at all clients of its sector, for ever. */
export function subjectOf(subjectSalt: Buffer | undefined, client: Client, userId: string): string {
  if (client.settings.subject_type !== 'pairwise') return userId;
  // Never a fall-back to the user id: whoever asked for pairwise subjects must not be shown it by accident.
  if (!subjectSalt) throw new Error('an app with a pairwise client has no salt');
  return macOf(subjectSalt, JSON.stringify([client.appId, sectorOf(client), userId]));
}
