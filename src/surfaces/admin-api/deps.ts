import type { MailDeps } from '../../delivery/mail.ts';
import type { DomainDeps } from '../../apps/domains/claim.ts';
import type { HttpDeps } from '../../http/http-deps.ts';
import type { Database } from '../../storage/database.ts';
import type { Replica } from '../../storage/replica.ts';
import type { EphemeralStore } from '../../storage/ephemeral.ts';
import type { BreachedPasswords } from '../../sign-in/passwords/breached/breached.ts';
import type { Access } from '../../users/access.ts';
import type { Places } from '../../users/places/places.ts';
import type { CreateUserDeps } from '../../users/create-user.ts';

/** What the Admin API stands on; given by the composition root. */
export type AdminApiDeps = DomainDeps &
  Pick<HttpDeps, 'views'> &
  Pick<CreateUserDeps, 'hashPassword' | 'sendInvitation'> & {
    db: Database;
    /** For lists; undefined: there is none. */
    replica: Replica | undefined;
    ephemeral: EphemeralStore;
    mail: MailDeps;
    access: Pick<Access, 'endSessionOfUser' | 'revokeGrantOfUser' | 'endUserAccess'>;
    /** Hosts that hooks may live on although they are not public. */
    outboundAllowedHosts: readonly string[];
    places: Places;
    breached: BreachedPasswords;
    /** The public address without a trailing slash. */
    baseUrl: string;
    /** undefined: every request is answered 401. */
    adminApiKey: string | undefined;
  };
