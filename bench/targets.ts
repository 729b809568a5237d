import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/storage/embedded-postgres.ts';
import { startPrivateRedis, stopServers } from '../test/support/servers.ts';
import { Connection } from './http-client.ts';
import { type Running, startProcess } from './processes.ts';

export const PASSWORD = 'correct horse battery staple';
export const REDIRECT = 'http://localhost:1/callback';
export const USERS = 16;

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

export type Client = { id: string; secret: string };
export type Endpoints = { authorize: string; token: string; introspect: string; userinfo: string };

/** Something that answers, with all that a workload has to know of it. */
export type Target = {
  name: string;
  kind: 'latchkey' | 'peer';
  /** What it is known by. */
  port: number;
  /** Where it answers: more than one for several instances, which take turns. */
  ports: number[];
  servers: Running[];
  /** Everything that works for it: its process, its Postgres, its Redis. */
  pids: number[];
  web: Client;
  endpoints: Endpoints;
  workers: { es256: Worker; rs256: Worker };
  /** Gives its database the statistics that it would have after a minute or two. */
  analyze(): Promise<void>;
  /** How many can sign in. */
  people: number;
};
/** A client that asks for tokens in its own name. */
export type Worker = Client & { token: string };

export type Stores = {
  postgres: EmbeddedPostgres;
  redis: { url: string; pid(): number };
  stop(): Promise<void>;
};

/** Postgres as it is in production (it waits for the disk, and has room for all instances), and Redis, for this run only. */
export async function startStores(dir: string): Promise<Stores> {
  const postgres = await startEmbeddedPostgres({
    dataDir: join(dir, 'postgres'),
    log: () => {},
    settings: { max_connections: '300', shared_buffers: '512MB', max_wal_size: '4GB' },
  });
  const redis = await startPrivateRedis();
  return {
    postgres,
    redis,
    async stop() {
      await stopServers();
      await postgres.stop();
    },
  };
}

export type LatchkeyOptions = {
  dir: string;
  /** undefined: with the embedded database. */
  stores?: Stores;
  database?: string;
  withoutHash?: boolean;
  /** Of Redis; each Postgres database has one of its own. */
  redisDatabase?: number;
  /** Of another checkout, to compare with. */
  root?: string;
  env?: Record<string, string>;
};

const ADMIN_KEY = randomBytes(32).toString('base64url');
const ENCRYPTION_KEY = randomBytes(32).toString('base64url');

export type Instance = {
  port: number;
  server: Running;
  pids: number[];
  admin: Admin;
  analyze(): Promise<void>;
};
export type Admin = (method: string, path: string, body: object) => Promise<Made>;
/** What the Admin API answers, as far as it is needed here. */
type Made = { client_id: string; client_secret: string };

export async function startLatchkey(options: LatchkeyOptions): Promise<Instance> {
  const port = await freePort();
  mkdirSync(options.dir, { recursive: true });
  const { stores } = options;
  const server = await startProcess(
    [
      ...(options.withoutHash ? ['--import', join(here, 'without-hash.mjs')] : []),
      join(options.root ?? root, 'bin', 'latchkey.mjs'),
      'start',
    ],
    {
      cwd: options.dir,
      readyUrl: `http://127.0.0.1:${port}/readyz`,
      env: {
        LATCHKEY_ENV: 'development',
        BASE_URL: `http://localhost:${port}`,
        PORT: String(port),
        DATA_DIR: options.dir,
        ADMIN_API_KEY: ADMIN_KEY,
        ENCRYPTION_KEYS: ENCRYPTION_KEY,
        // Each person of a workload comes from an address of its own, as behind any proxy.
        TRUSTED_PROXIES: '127.0.0.1/32',
        // The peers write no log either.
        LOG_LEVEL: 'error',
        ...(stores ? await storeVariables(stores, options) : {}),
        ...options.env,
      },
    },
  );
  const pids = [server.pid];
  if (stores) pids.push(stores.postgres.pid, stores.redis.pid());
  else
    pids.push(Number(readFileSync(join(options.dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]));
  const place = stores
    ? { host: stores.postgres.socketDir, database: options.database ?? 'bench' }
    : { host: join(options.dir, 'run'), database: 'latchkey' };
  return { port, server, pids, admin: adminOf(port), analyze: () => analyze(place) };
}

/**
 * Without statistics Postgres takes every table for empty and reads all of an app's rows where it could read one; it
 * makes them itself, but not within the minute in which a bench has filled its tables.
 */
async function analyze(place: { host: string; database: string }): Promise<void> {
  const owner = new pg.Client({ ...place, user: 'postgres' });
  await owner.connect();
  await owner.query('analyze');
  await owner.end();
}

/** An app that signs with ES256 and one that signs with RS256, as any operator makes them. */
export async function prepareLatchkey(name: string, instance: Instance): Promise<Target> {
  const { admin, port } = instance;
  const web = await makeApp(admin, 'bench');
  await makeApp(admin, 'bench-rs', 'RS256');
  const es256 = await makeWorker(admin, 'bench');
  const rs256 = await makeWorker(admin, 'bench-rs');
  for (let user = 0; user < USERS; user += 1) {
    const email = emailOf(user);
    await admin('POST', '/apps/bench/users', { email, password: PASSWORD, email_verified: true });
  }
  return asTarget(name, instance, { web, es256, rs256, port });
}

/** The same apps at another instance on the same stores. */
export function sameApps(name: string, instance: Instance, of: Target): Target {
  const { web, workers, people } = of;
  return { ...asTarget(name, instance, { web, ...workers, port: instance.port }), people };
}

/** Another instance on the stores of one that runs, with its name: as behind one proxy without stickiness. */
export async function withSecondInstance(
  name: string,
  of: Target,
  options: LatchkeyOptions,
): Promise<Target> {
  const second = await startLatchkey({ ...options, env: { BASE_URL: `http://localhost:${of.port}` } });
  return {
    ...of,
    name,
    ports: [of.port, second.port],
    servers: [...of.servers, second.server],
    pids: [...of.pids, second.server.pid],
  };
}

function asTarget(
  name: string,
  { server, pids, analyze }: Instance,
  made: { web: Client; es256: Client; rs256: Client; port: number },
): Target {
  const of = (appId: string) => endpointsUnder(`/auth/${appId}`);
  return {
    name,
    kind: 'latchkey',
    port: made.port,
    ports: [made.port],
    servers: [server],
    pids,
    analyze,
    people: USERS,
    web: made.web,
    endpoints: { ...of('bench'), authorize: '/auth/bench/authorize' },
    workers: {
      es256: { ...made.es256, token: of('bench').token },
      rs256: { ...made.rs256, token: of('bench-rs').token },
    },
  };
}

const endpointsUnder = (prefix: string): Endpoints => ({
  authorize: `${prefix}/authorize`,
  token: `${prefix}/token`,
  introspect: `${prefix}/introspect`,
  userinfo: `${prefix}/userinfo`,
});

export const emailOf = (user: number): string => `person${user}@example.com`;

export async function makeApp(admin: Admin, appId: string, algorithm = 'ES256'): Promise<Client> {
  const created = await admin('POST', '/apps', {
    app_id: appId,
    name: appId,
    type: 'web',
    redirect_uris: [REDIRECT],
    settings: { signing_algorithm: algorithm },
  });
  return { id: appId, secret: created.client_secret };
}

export async function makeWorker(admin: Admin, appId: string): Promise<Client> {
  const wanted = { name: 'Worker', type: 'service', scopes: ['orders:read'] };
  const created = await admin('POST', `/apps/${appId}/clients`, wanted);
  return { id: created.client_id, secret: created.client_secret };
}

/** `oidc-provider` alone, on a Map or, with `redis`, on the adapter of its documentation. */
export async function startPeer(name: string, redis?: Stores['redis']): Promise<Target> {
  const port = await freePort();
  const server = await startProcess([join(here, 'peers', 'server.ts')], {
    readyUrl: `http://127.0.0.1:${port}/.well-known/openid-configuration`,
    env: { PORT: String(port), NODE_ENV: 'production', ...(redis ? { REDIS_URL: `${redis.url}/1` } : {}) },
  });
  const secret = 'peer-secret-0123456789-0123456789';
  const worker = (id: string): Worker => ({ id, secret, token: '/token' });
  return {
    name,
    kind: 'peer',
    port,
    ports: [port],
    servers: [server],
    pids: redis ? [server.pid, redis.pid()] : [server.pid],
    analyze: async () => {},
    people: USERS,
    web: { id: 'web', secret },
    endpoints: {
      authorize: '/auth',
      token: '/token',
      introspect: '/token/introspection',
      userinfo: '/me',
    },
    workers: { es256: worker('worker-es256'), rs256: worker('worker-rs256') },
  };
}

async function storeVariables(
  { postgres, redis }: Stores,
  { database = 'bench', redisDatabase = 0 }: LatchkeyOptions,
): Promise<Record<string, string>> {
  const owner = new pg.Client({ host: postgres.socketDir, user: 'postgres', database: 'postgres' });
  await owner.connect();
  const { rowCount } = await owner.query('select from pg_database where datname = $1', [database]);
  if (!rowCount) await owner.query(`create database ${database}`);
  await owner.end();
  const urlOf = (user: string): string =>
    `postgres://${user}@localhost/${database}?host=${encodeURIComponent(postgres.socketDir)}`;
  return {
    DATABASE_URL: urlOf('latchkey_server'),
    DATABASE_MIGRATION_URL: urlOf('postgres'),
    DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
    REDIS_URL: `${redis.url}/${redisDatabase}`,
  };
}

export const adminHeaders = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };

export function adminOf(port: number): Admin {
  const connection = new Connection(port);
  let last: Promise<unknown> = Promise.resolve();
  const call: Admin = async (method, path, body) => {
    const answer = await connection.send({
      method,
      path: `/api/v1${path}`,
      headers: adminHeaders,
      body: JSON.stringify(body),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body) as Made;
  };
  // One after another: the connection takes one request at a time.
  return (...args) => {
    const next = last.then(() => call(...args));
    last = next.catch(() => {});
    return next;
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
