import { join } from 'node:path';
import { publicationLead } from './apps/keys/signing-key.ts';
import type { Config } from './config/config.ts';
import { openStores } from './open-stores.ts';
import { sealedColumns } from './sealed-columns.ts';
import { reseal } from './storage/reseal.ts';
import type { Administration } from './surfaces/cli/command.ts';
import type { Logger } from './telemetry/log.ts';
import { vaultFrom } from './vault.ts';

/** The stores of the configuration, for a command. Brings the schema up to date first. */
export async function administer(options: {
  config: Config;
  log: Logger;
  root: string;
}): Promise<Administration> {
  const { config, log, root } = options;
  const stores = await openStores({ config, log, migrationsDir: join(root, 'migrations'), attach: true });
  const rootKeys = config.encryptionKeys.reveal();
  const { operatorDb } = stores;
  return {
    apps: {
      operatorDb,
      rootKeys,
      // This process serves nobody; those that do notice within two seconds.
      registry: { forget: () => {} },
      keys: { vault: vaultFrom(config, log), leadSeconds: publicationLead(config.jwksMaxAge) },
      outgoing: () => Promise.reject(new Error('no command fetches a document')),
      enqueueJob: () => Promise.reject(new Error('no command needs a job')),
    },
    reseal: () => reseal(operatorDb, rootKeys, sealedColumns),
    close: () => stores.close(),
  };
}
