import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AppSnapshot } from '../apps/app.ts';
import { subjectOf } from '../apps/subjects/pairwise.ts';

/** The library's configuration of subjects (OpenID Connect Core §8). */
export const subjectConfiguration = (snapshot: AppSnapshot) => ({
  subjectTypes: [...subjectTypes],
  pairwiseIdentifier: (_ctx: KoaContextWithOIDC, userId: string, client: { clientId: string }) =>
    Promise.resolve(subjectFor(snapshot, client.clientId, userId)),
});

export const subjectTypes = ['public', 'pairwise'] as const;

/** `sub` of a user as this client knows it: the one place that decides it, for the library and beside it. */
export function subjectFor(snapshot: AppSnapshot, clientId: string, userId: string): string {
  const client = snapshot.clients.get(clientId);
  if (!client) throw new Error('a client that is not there has no subjects');
  return subjectOf(snapshot.subjectSalt, client, userId);
}

/**
 * Tells the library which clients are pairwise, beside their metadata: those it would hold against its own rules of a
 * sector, which know no device without keys of its own and would fetch the document while somebody signs in.
 */
export function nameSubjectTypes(provider: Provider, snapshot: AppSnapshot): void {
  Object.defineProperty(provider.Client.prototype, 'subjectType', {
    get(this: { clientId: string }): string {
      return snapshot.clients.get(this.clientId)?.settings.subject_type ?? 'public';
    },
    // The library's own, from the metadata, where it is always the same.
    set: () => {},
  });
}
