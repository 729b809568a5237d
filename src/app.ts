import type { Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import Koa, { type Middleware } from 'koa';
import { keepKeys } from './apps/keys/chores.ts';
import { sweepRegistrations } from './apps/registrations/sweep.ts';
import { seedBuiltInApps } from './apps/seed.ts';
import type { Config } from './config/config.ts';
import { createInbox } from './delivery/inbox.ts';
import { assetRoutes } from './http/assets.ts';
import type { HttpDeps } from './http/http-deps.ts';
import { outerMiddleware } from './http/outer-middleware.ts';
import { drain } from './http/drain.ts';
import { createHttpServer } from './http/server.ts';
import { answering, type Route, routesOf, unused } from './http/route-table.ts';
import { deriveKey, macOf } from './kernel/secret.ts';
import { mutualTlsOf } from './oidc/client-authentication.ts';
import { hosts } from './oidc/hosts.ts';
import { directAnswers } from './oidc/direct/direct.ts';
import { createInteractions } from './oidc/interactions.ts';
import { protocolPages } from './oidc/pages.ts';
import { protocolDoors } from './oidc/protocol-doors.ts';
import { protectedResources } from './oidc/protected-resources.ts';
import { createProviderCache } from './oidc/provider-cache.ts';
import { openStores, type Stores } from './open-stores.ts';
import { requireBreachedFile } from './sign-in/passwords/breached/file.ts';
import { createPasswordHasher } from './sign-in/passwords/hash.ts';
import { sendInvitation } from './sign-in/invitation/send.ts';
import { relatedOrigins } from './sign-in/passkeys/related-origins.ts';
import { signInRoutes } from './sign-in/routes.ts';
import { sweepExpired } from './storage/operator-sweep.ts';
import { accountRoutes } from './surfaces/account/routes.ts';
import { createAdminApi } from './surfaces/admin-api/admin-api.ts';
import { brandingRoutes } from './surfaces/branding/routes.ts';
import { createPlayground } from './surfaces/dev/playground/create.ts';
import { devRoutes } from './surfaces/dev/routes.ts';
import { landingRoutes } from './surfaces/landing/routes.ts';
import { operationsRoutes } from './surfaces/operations/routes.ts';
import { registrationRoutes } from './surfaces/registration/routes.ts';
import type { Logger } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { noPlaces, openPlaces } from './users/places/places.ts';
import { endExpiredSessions } from './users/logout/end-expired.ts';
import {
  type StartOptions,
  type Parts,
  makeParts,
  mailTransport,
  appsDeps,
  domainParts,
  newcomersOf,
  countersOf,
} from './parts.ts';

export type Latchkey = {
  stores: Stores;
  /** Everything that it answers. */
  routes: readonly Route[];
  /** Stops taking requests, finishes those under way and the jobs in hand, then lets go of the stores. */
  close(): Promise<void>;
};

const SWEEP_EVERY_MS = 60_000;
const KEYS_EVERY_MS = 60_000;
const GRAVES_EVERY_MS = 1000;

/** The composition root: the only place that knows every part. Listening when it resolves. */
export async function startLatchkey(options: StartOptions): Promise<Latchkey> {
  const stores = await openStores({ ...options, migrationsDir: join(options.root, 'migrations') });
  try {
    return await run(options, stores);
  } catch (error) {
    await stores.close();
    throw error;
  }
}

async function run(options: StartOptions, stores: Stores): Promise<Latchkey> {
  const metrics = createMetrics({ processMetrics: true });
  const { config } = options;
  const { replica } = stores;
  if (replica) {
    metrics.followReplica(() => replica.state());
    replica.follow();
  }
  const hasher = await createPasswordHasher({
    // The processes of a host share its cores: more hashes at once than those cost throughput, memory and everybody's time.
    atOnce: Math.max(1, Math.floor(availableParallelism() / config.webConcurrency)),
    onWaiting: (count) => metrics.hashesWaiting.set(count),
    ...options.hashing,
  });
  const inbox = createInbox();
  const transport = await mailTransport(config, inbox);
  const { geoipDatabase, breachedPasswordsFile } = config;
  if (breachedPasswordsFile !== undefined) await requireBreachedFile(breachedPasswordsFile);
  const places = geoipDatabase === undefined ? noPlaces : await openPlaces(geoipDatabase, options.log);
  const parts = makeParts(options, stores, { metrics, hasher, inbox, transport, places });
  const demoSecret = demoSecretOf(config);
  await seedBuiltInApps(appsDeps(parts), {
    baseUrl: config.baseUrl,
    ...(demoSecret === undefined ? {} : { demo: { clientSecret: demoSecret } }),
  });

  const state = { draining: false };
  const koa = new Koa();
  const surfaces = doors(parts, { demoSecret, isDraining: () => state.draining });
  for (const middleware of [...outerMiddleware(parts.http), ...surfaces]) koa.use(middleware);
  koa.silent = true;
  koa.on('error', (error: unknown) => options.log.error({ err: error }, 'an answer could not be sent'));

  const server = createHttpServer(koa.callback(), config);
  options.beforeListening?.();
  await listen(server, config);
  const stopChores = startChores(parts);
  return {
    stores,
    routes: surfaces.flatMap(routesOf),
    async close() {
      state.draining = true;
      await drain(server);
      stopChores();
      await Promise.all([parts.worker.stop(), parts.courier.stop()]);
      await stores.close();
    },
  };
}

/** Everything that answers, in the order it is asked: the doors of the protocol first, where most requests go. */
function doors(
  parts: Parts,
  at: { demoSecret: string | undefined; isDraining: () => boolean },
): Middleware[] {
  const { options, stores, http, assets, registry, domains, access, jobs, outgoing, places } = parts;
  const { config, log, version } = options;
  const { db, ephemeral, cache } = stores;
  const { baseUrl, jwksMaxAge } = config;
  const pages = protocolPages(http);
  const count = countersOf(http.metrics);
  const state = { baseUrl, db, ephemeral, registry, rootKeys: jobs.rootKeys };
  const mtls = mutualTlsOf(config);
  const protocol = { ...state, cache, access, count, mtls };
  const providers = createProviderCache({ ...protocol, jwksMaxAge, pages, log, outgoing });
  const direct = directAnswers({ ...protocol, pages, log });
  const interactions = createInteractions({ ...protocol, providers, log });
  const { hasher, breached } = parts;
  const people = { access, hasher, breached, mail: jobs, places };
  const signIn = { ...state, ...people, views: http.views, metrics: http.metrics, config, interactions };
  const health = {
    version,
    database: stores.checkDatabase,
    redis: stores.checkRedis,
    isDraining: at.isDraining,
  };
  return [
    hosts({ config, registry, domains, log }),
    protocolDoors({
      ...http,
      jwksMaxAge,
      ...state,
      providers,
      pages,
      mtls,
      direct,
      admission: parts.admission,
      newcomers: newcomersOf(parts),
    }),
    operationsRoutes({ config, health, metrics: http.metrics }),
    assets.middleware,
    brandingRoutes({ db, registry }),
    protectedResources({ baseUrl, registry }),
    relatedOrigins({ baseUrl, registry }),
    registrationRoutes({ ...appsDeps(parts), registry, ephemeral, baseUrl }),
    signInRoutes(signIn),
    accountRoutes({ ...signIn, baseUrl, places }),
    adminDoor(parts, signIn),
    ...devDoors(parts, at.demoSecret),
    landingRoutes({ ...http, consoleUrl: null, docsUrl: '/api/docs' }),
  ];
}

function adminDoor(parts: Parts, signIn: Parameters<typeof signInRoutes>[0]): Middleware {
  const { config } = parts.options;
  return createAdminApi({
    ...signIn,
    ...appsDeps(parts),
    registry: parts.registry,
    replica: parts.stores.replica,
    access: parts.access,
    domains: domainParts(parts),
    places: parts.places,
    baseUrl: config.baseUrl,
    adminApiKey: config.adminApiKey?.reveal(),
    outboundAllowedHosts: config.outboundAllowedHosts,
    hashPassword: (plain) => parts.hasher.hash(plain),
    sendInvitation: (tx, invitation) => sendInvitation(tx, signIn, invitation),
  }).middleware;
}

function devDoors({ http, inbox, options }: Parts, clientSecret: string | undefined): Middleware[] {
  if (clientSecret === undefined) return [];
  const { baseUrl } = options.config;
  return [
    devRoutes({
      ...http,
      inbox,
      playground: createPlayground({ baseUrl, appName: 'Demo', clientId: 'demo', clientSecret }),
    }),
  ];
}

/** The routes of this version without running it: its parts are never used, because nothing is answered. */
export function routeTable(config: Config): readonly Route[] {
  const options = unused<StartOptions>({ config });
  // What is spread has its parts by name.
  const http = {
    config,
    log: unused<Logger>(),
    metrics: unused<Metrics>(),
    views: unused<HttpDeps['views']>(),
  };
  const parts = unused<Parts>({
    options,
    http: { ...http, store: unused(), csrfKey: Buffer.alloc(0) },
    assets: { url: String, middleware: answering(unused(), assetRoutes) },
  });
  return doors(parts, { demoSecret: demoSecretOf(config), isDraining: () => false }).flatMap(routesOf);
}

/** The demo app and its playground exist in development only; the secret is derived, so that both know it and nobody stores it. */
function demoSecretOf(config: Config): string | undefined {
  if (config.environment !== 'development' || !config.isLoopback) return undefined;
  return macOf(deriveKey(config.encryptionKeys.reveal()[0], 'demo-client'), 'secret');
}

function startChores(parts: Parts): () => void {
  const { worker, courier, jobs, stores, options, places } = parts;
  worker.start();
  courier.start();
  const quietly = (what: string, work: () => Promise<unknown>) => () => {
    work().catch((error: unknown) => options.log.warn({ err: error }, what));
  };
  const timers = [
    setInterval(
      quietly('expired rows could not be swept', async () => {
        await endExpiredSessions(stores.operatorDb, jobs);
        await sweepExpired(stores.operatorDb);
        await sweepRegistrations(appsDeps(parts));
      }),
      SWEEP_EVERY_MS,
    ),
    setInterval(
      quietly('keys could not be kept in order', () =>
        keepKeys(appsDeps(parts), { sharedRotationDays: options.config.sharedKeyRotationDays }),
      ),
      KEYS_EVERY_MS,
    ),
    setInterval(
      quietly('GEOIP_DATABASE could not be looked at', () => places.refresh()),
      SWEEP_EVERY_MS,
    ),
    setInterval(
      quietly('tombstones could not be delivered', () => stores.deliverGraves()),
      GRAVES_EVERY_MS,
    ),
  ];
  for (const timer of timers) timer.unref();
  return () => timers.forEach(clearInterval);
}

function listen(server: Server, config: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
