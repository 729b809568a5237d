import type { AppRegistry } from '../../apps/registry.ts';
import type { Config } from '../../config/config.ts';
import type { MailDeps } from '../../delivery/mail.ts';
import type { HttpDeps } from '../../http/http-deps.ts';
import type { RootKeys } from '../../kernel/secret.ts';
import type { Database } from '../../storage/database.ts';
import type { Access } from '../../users/access.ts';
import type { Places } from '../../users/places/places.ts';

/** What the users' own pages stand on; given by the composition root. */
export type AccountDeps = Pick<HttpDeps, 'views'> & {
  config: Pick<Config, 'isHttps'>;
  baseUrl: string;
  db: Database;
  mail: MailDeps;
  rootKeys: RootKeys;
  registry: Pick<AppRegistry, 'snapshot'>;
  access: Pick<
    Access,
    'listSessions' | 'listAppAccess' | 'endSessionOfUser' | 'endUserAccess' | 'revokeGrantsOfClient'
  >;
  places: Places;
};
