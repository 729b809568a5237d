import type { AppRegistry } from '../apps/registry.ts';
import type { Config } from '../config/config.ts';
import type { MailDeps } from '../delivery/mail.ts';
import type { HttpDeps } from '../http/http-deps.ts';
import type { RootKeys } from '../kernel/secret.ts';
import type { Interactions } from '../oidc/interaction.ts';
import type { Database } from '../storage/database.ts';
import type { EphemeralStore } from '../storage/ephemeral.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Access } from '../users/access.ts';
import type { Places } from '../users/places/places.ts';
import type { NetworkLimits } from './lockout/network.ts';
import type { BreachedPasswords } from './passwords/breached/breached.ts';
import type { PasswordHasher } from './passwords/hash.ts';

/** What the pages of sign-in stand on; given by the composition root. */
export type SignInDeps = Pick<HttpDeps, 'views'> & {
  metrics: Pick<Metrics, 'signIns'>;
  /** Links are built from `baseUrl` and nothing else. */
  config: Pick<Config, 'baseUrl' | 'isHttps'>;
  db: Database;
  ephemeral: EphemeralStore;
  interactions: Interactions;
  registry: Pick<AppRegistry, 'snapshot'>;
  access: Pick<Access, 'endUserAccess'>;
  hasher: PasswordHasher;
  breached: BreachedPasswords;
  mail: MailDeps;
  rootKeys: RootKeys;
  /** Names for addresses, where the operator has a file of them. */
  places?: Places | undefined;
  networkLimits?: NetworkLimits | undefined;
};
