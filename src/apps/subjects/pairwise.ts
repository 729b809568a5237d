import type { AppSnapshot, Client } from '../app.ts';
import { sectorOf } from '../clients/sector.ts';
import { macOf } from '../../kernel/secret.ts';

/** `sub` of a user as one client knows it (OpenID Connect Core §8): the same at all clients of its sector, for ever. */
export function subjectOf(snapshot: AppSnapshot, client: Client, userId: string): string {
  if (client.settings.subject_type !== 'pairwise') return userId;
  const { subjectSalt, app } = snapshot;
  // Never a fall-back to the user id: whoever asked for pairwise subjects must not be shown it by accident.
  if (!subjectSalt) throw new Error('an app with a pairwise client has no salt');
  return macOf(subjectSalt, JSON.stringify([app.appId, sectorOf(client), userId]));
}
