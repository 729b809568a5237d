import type { SignInDeps } from '../../sign-in/deps.ts';
import type { Access } from '../../users/access.ts';
import type { Places } from '../../users/places/places.ts';

/** What the users' own pages stand on; given by the composition root. */
export type AccountDeps = Omit<SignInDeps, 'access'> & {
  baseUrl: string;
  access: Pick<
    Access,
    | 'listSessions'
    | 'listGrants'
    | 'listAppAccess'
    | 'endSessionOfUser'
    | 'endUserAccess'
    | 'revokeGrantsOfClient'
  >;
  places: Places;
};
