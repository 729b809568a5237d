import { createServer, type Server } from 'node:http';
import Koa from 'koa';
import supertest from 'supertest';
import type { AppsDeps } from '../../../src/apps/change-app.ts';
import { localVault } from '../../../src/apps/keys/local-vault.ts';
import { publicationLead } from '../../../src/apps/keys/signing-key.ts';
import { createAppRegistry } from '../../../src/apps/registry.ts';
import { seedBuiltInApps } from '../../../src/apps/seed.ts';
import type { Author } from '../../../src/events/author.ts';
import { createAssets } from '../../../src/http/assets.ts';
import type { HttpDeps } from '../../../src/http/http-deps.ts';
import { outerMiddleware } from '../../../src/http/outer-middleware.ts';
import { createViews } from '../../../src/http/views.ts';
import type { RootKeys } from '../../../src/kernel/secret.ts';
import { noArtifactCache } from '../../../src/storage/artifact-cache.ts';
import { ephemeralOnPostgres } from '../../../src/storage/ephemeral-postgres.ts';
import { createAdminApi } from '../../../src/surfaces/admin-api/admin-api.ts';
import type { AdminApiDeps } from '../../../src/surfaces/admin-api/deps.ts';
import type { Operation } from '../../../src/surfaces/admin-api/operation.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { noPlaces } from '../../../src/users/places/places.ts';
import { createAccess } from '../../../src/users/access.ts';
import { testDatabase, type TestDatabase } from '../../support/stores.ts';

export const ADMIN_KEY = 'test-admin-key-that-is-long-enough-0123456789';
export const rootKeys: RootKeys = [Buffer.alloc(32, 7)];
export const nobody: Author = {
  actor: { type: 'system' },
  address: undefined,
  userAgent: undefined,
  requestId: undefined,
};

export function appsDeps(database: TestDatabase): AppsDeps & { jobs: object[]; forgotten: string[] } {
  const jobs: object[] = [];
  const forgotten: string[] = [];
  return {
    operatorDb: database.operatorDb,
    rootKeys,
    registry: { forget: (appId) => void forgotten.push(appId) },
    keys: { vault: localVault, leadSeconds: publicationLead(300) },
    outgoing: () => Promise.reject(new Error('nothing leaves this test')),
    enqueueJob: async (_, job) => void jobs.push(job),
    jobs,
    forgotten,
  };
}

export type AdminHost = {
  database: TestDatabase;
  deps: AdminApiDeps;
  operations: readonly Operation[];
  invitations: { appId: string; email: string }[];
  jobs: object[];
  /** Sent with the key. */
  call(method: 'get' | 'post' | 'patch' | 'delete', path: string): supertest.Test;
  anonymous: ReturnType<typeof supertest>;
  end(): Promise<void>;
};

export async function startAdminHost(change: Partial<AdminApiDeps> = {}): Promise<AdminHost> {
  const database = await testDatabase();
  const invitations: AdminHost['invitations'] = [];
  const apps = appsDeps(database);
  const ephemeral = ephemeralOnPostgres(database.db);
  const views = createViews({ viewsDir: pathTo('views'), assets: createAssets(pathTo('views/assets')) });
  const deps: AdminApiDeps = {
    ...apps,
    registry: createAppRegistry({ db: database.db, operatorDb: database.operatorDb, rootKeys }),
    views,
    db: database.db,
    replica: undefined,
    ephemeral,
    mail: { rootKeys, wake: () => {} },
    places: noPlaces,
    access: createAccess({ db: database.db, cache: noArtifactCache, jobs: { rootKeys, wake: () => {} } }),
    hashPassword: async (plain) => `$test$${plain.length}`,
    breached: { isKnown: () => Promise.resolve(false) },
    sendInvitation: async (_, { appId, user }) => void invitations.push({ appId, email: user.email }),
    baseUrl: 'http://localhost:3000',
    domains: {
      place: { baseUrl: 'http://localhost:3000', allowsLocalhost: true },
      lookup: { forget: () => {} },
      resolveTxt: () => Promise.resolve([]),
    },
    outboundAllowedHosts: [],
    adminApiKey: ADMIN_KEY,
    ...change,
  };
  await seedBuiltInApps(deps, { baseUrl: deps.baseUrl, demo: { clientSecret: 'demo-secret' } });
  const { middleware, operations } = createAdminApi(deps);
  const server = await listen([...outerMiddleware(httpDeps(deps)), middleware]);
  const anonymous = supertest(server);
  return {
    database,
    deps,
    operations,
    invitations,
    jobs: apps.jobs,
    anonymous,
    call: (method, path) => anonymous[method](`/api/v1${path}`).set('Authorization', `Bearer ${ADMIN_KEY}`),
    async end() {
      await new Promise((resolve) => server.close(resolve));
      await database.end();
    },
  };
}

const pathTo = (folder: string): string => new URL(`../../../${folder}`, import.meta.url).pathname;

function httpDeps({ views, ephemeral }: AdminApiDeps): HttpDeps {
  const config = {
    trustedProxies: [],
    isHttps: false,
    baseUrl: 'http://localhost:3000',
    requestTimeout: 60,
  } as unknown as HttpDeps['config'];
  return {
    config,
    log: silentLogger,
    metrics: createMetrics(),
    views,
    store: ephemeral,
    csrfKey: Buffer.alloc(32, 1),
  };
}

async function listen(middleware: Koa.Middleware[]): Promise<Server> {
  const koa = new Koa();
  for (const one of middleware) koa.use(one);
  koa.silent = true;
  const server = createServer(koa.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
