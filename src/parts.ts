import { join } from 'node:path';
import { ERASE_APP } from './apps/delete-app.ts';
import { eraseApp } from './apps/erase/erase-app.ts';
import type { KeyVault } from './apps/keys/signer.ts';
import { publicationLead } from './apps/keys/signing-key.ts';
import { type AppRegistry, createAppRegistry } from './apps/registry.ts';
import { createDomainLookup, type DomainLookup } from './apps/domains/lookup.ts';
import { resolveTxt, type ResolveTxt } from './apps/domains/name-servers.ts';
import type { Config } from './config/config.ts';
import { type Inbox } from './delivery/inbox.ts';
import { enqueueJob, type EnqueueDeps } from './delivery/jobs/enqueue.ts';
import { MAIL, mailHandler } from './delivery/mail.ts';
import type { MailTransport } from './delivery/message.ts';
import { Worker, type WorkerDeps } from './delivery/worker.ts';
import { type Admission, createAdmission } from './http/admission/admission.ts';
import { type Assets, createAssets } from './http/assets.ts';
import type { HttpDeps } from './http/http-deps.ts';
import { createOutgoing, type Outgoing } from './http/outgoing.ts';
import { createViews } from './http/views.ts';
import { deriveKey } from './kernel/secret.ts';
import { logoutTokenHandler } from './oidc/backchannel-logout/deliver.ts';
import { createNewcomers } from './oidc/newcomers.ts';
import { mailAppOf } from './oidc/page-app.ts';
import { vaultFrom } from './vault.ts';
import { type OpenOptions, type Stores } from './open-stores.ts';
import { type BreachedPasswords, createBreachedPasswords } from './sign-in/passwords/breached/breached.ts';
import { type HasherOptions, type PasswordHasher } from './sign-in/passwords/hash.ts';
import type { DatabaseOptions } from './storage/database.ts';
import type { AdminApiDeps } from './surfaces/admin-api/deps.ts';
import type { Logger } from './telemetry/log.ts';
import { type Metrics } from './telemetry/metrics.ts';
import { type Access, createAccess } from './users/access.ts';
import { LOGOUT_TOKEN } from './users/logout/announce.ts';
import { type Places } from './users/places/places.ts';

export type StartOptions = {
  config: Config;
  log: Logger;
  version: string;
  /** The folder that holds views/ and migrations/. */
  root: string;
  observe?: DatabaseOptions['observe'];
  /** One of several processes of a host, see cluster.ts. */
  held?: boolean;
  /** When all is made and nothing is answered yet. */
  beforeListening?: () => void;
  observeCommit?: DatabaseOptions['observeCommit'];
  observeRedis?: OpenOptions['observeRedis'];
  /** Asks the name servers of this machine, unless a test stands in for them. */
  resolveTxt?: ResolveTxt | undefined;
  /** How far behind the process is taken to be, and what hashes, instead of what it is and has. */
  behind?: (() => number) | undefined;
  hashing?: HasherOptions | undefined;
};

export type Parts = {
  options: StartOptions;
  stores: Stores;
  http: HttpDeps;
  assets: Assets;
  registry: AppRegistry;
  domains: DomainLookup;
  vault: KeyVault;
  access: Access;
  jobs: EnqueueDeps;
  worker: Worker;
  /** Calls clients' servers; apart, so that a slow one of theirs keeps no mail waiting. */
  courier: Worker;
  inbox: Inbox;
  hasher: PasswordHasher;
  admission: Admission;
  breached: BreachedPasswords;
  outgoing: Outgoing;
  places: Places;
};

/** What every door is made of. Opens nothing by itself: the stores and what else must be waited for are given. */
export function makeParts(
  options: StartOptions,
  stores: Stores,
  made: Pick<Parts, 'hasher' | 'inbox' | 'places'> & { metrics: Metrics; transport: MailTransport },
): Parts {
  const { metrics, transport, ...rest } = made;
  const { config, log } = options;
  const rootKeys = config.encryptionKeys.reveal();
  const { db, operatorDb } = stores;
  const vault = vaultFrom(config, log);
  const registry = createAppRegistry({ db, operatorDb, rootKeys, vault });
  const assets = createAssets(join(options.root, 'views', 'assets'));
  const views = createViews({ viewsDir: join(options.root, 'views'), assets });
  const outgoing = createOutgoing({ allowedHosts: config.outboundAllowedHosts, log });
  const { worker, courier, jobs } = makeWorkers({ operatorDb, rootKeys, log, metrics });
  const appOf = async (appId: string) => {
    const snapshot = await registry.snapshot(appId);
    return snapshot && mailAppOf(config.baseUrl, snapshot);
  };
  worker.register(
    MAIL,
    mailHandler({ views, transport, metrics, host: new URL(config.baseUrl).hostname, appOf }),
  );
  worker.register(ERASE_APP, (job) => eraseApp(operatorDb, job.appId));
  courier.register(LOGOUT_TOKEN, logoutTokenHandler({ db, registry, outgoing, metrics }));
  const http: HttpDeps = {
    config,
    log,
    metrics,
    views,
    store: stores.ephemeral,
    csrfKey: deriveKey(rootKeys[0], 'csrf'),
  };
  return {
    options,
    stores,
    http,
    assets,
    registry,
    vault,
    access: createAccess({ db, cache: stores.cache, jobs }),
    jobs,
    domains: createDomainLookup(operatorDb),
    worker,
    courier,
    outgoing,
    breached: createBreachedPasswords({
      outgoing,
      log,
      url: config.breachedPasswordsUrl,
      file: config.breachedPasswordsFile,
      count: (result) => metrics.breachedPasswords.inc({ result }),
    }),
    admission: admissionOf(options, metrics, rest.hasher),
    ...rest,
  };
}

/** The mail library is loaded only where mail leaves the house. */
export async function mailTransport(config: Config, inbox: Inbox): Promise<MailTransport> {
  if (!config.smtpUrl) return inbox.transport;
  const { smtpTransport } = await import('./delivery/smtp.ts');
  return smtpTransport({ url: config.smtpUrl, mailFrom: config.mailFrom });
}

function makeWorkers(deps: WorkerDeps): { worker: Worker; courier: Worker; jobs: EnqueueDeps } {
  const working: WorkerDeps = {
    ...deps,
    onExpired: (kind) => kind === MAIL && deps.metrics.mails.inc({ result: 'expired' }),
  };
  const worker = new Worker(working);
  const courier = new Worker({ ...working, concurrency: 16 });
  const wake = (): void => {
    worker.wake();
    courier.wake();
  };
  return { worker, courier, jobs: { rootKeys: deps.rootKeys, wake } };
}

export const appsDeps = ({ stores, jobs, registry, options, vault, outgoing }: Parts) => ({
  outgoing,
  operatorDb: stores.operatorDb,
  rootKeys: jobs.rootKeys,
  registry,
  keys: { vault, leadSeconds: publicationLead(options.config.jwksMaxAge) },
  enqueueJob: async (tx: Parameters<typeof enqueueJob>[0], job: Parameters<typeof enqueueJob>[2]) => {
    await enqueueJob(tx, jobs, job);
  },
});

export const domainParts = ({ options, domains }: Parts): AdminApiDeps['domains'] => ({
  place: {
    baseUrl: options.config.baseUrl,
    allowsLocalhost: options.config.environment === 'development' && options.config.isLoopback,
  },
  lookup: domains,
  resolveTxt: options.resolveTxt ?? resolveTxt,
});

export const newcomersOf = (parts: Parts) =>
  createNewcomers({
    ...appsDeps(parts),
    registry: parts.registry,
    ephemeral: parts.stores.ephemeral,
    outboundAllowedHosts: parts.options.config.outboundAllowedHosts,
  });

export const countersOf = (metrics: Metrics) => ({
  tokenIssued: (grantType: string) => metrics.tokensIssued.inc({ grant_type: grantType }),
  answeredDirectly: () => metrics.answeredDirectly.inc(),
  tokenHook: (result: string) => metrics.tokenHooks.inc({ result }),
});

const admissionOf = ({ log, behind }: StartOptions, metrics: Metrics, hasher: PasswordHasher): Admission =>
  createAdmission({
    log,
    metrics,
    behind,
    signals: { underWay: () => metrics.load.underWay, hashWaitMs: hasher.waitedMs },
  });
