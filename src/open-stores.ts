import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type pg from 'pg';
import type { Config } from './config/config.ts';
import {
  type ArtifactCache,
  artifactCacheOnRedis,
  noArtifactCache,
  type PendingGraves,
  pendingGraves,
} from './storage/artifact-cache.ts';
import { Database, type DatabaseOptions } from './storage/database.ts';
import { runningPostgres, startEmbeddedPostgres } from './storage/embedded-postgres.ts';
import type { EphemeralStore } from './storage/ephemeral.ts';
import { ephemeralOnPostgres } from './storage/ephemeral-postgres.ts';
import { ephemeralOnRedis } from './storage/ephemeral-redis.ts';
import { migrate, type Plan, planMigrations } from './storage/migrate.ts';
import type { ObserveRedis, RedisConnection } from './storage/redis.ts';
import { Replica } from './storage/replica.ts';
import { assertServerRole, type Login } from './storage/roles.ts';
import type { Logger } from './telemetry/log.ts';

export type Stores = {
  db: Database;
  operatorDb: Database;
  /** undefined where there is none. */
  replica: Replica | undefined;
  ephemeral: EphemeralStore;
  cache: ArtifactCache;
  /** Throws when Postgres does not answer. */
  checkDatabase(): Promise<void>;
  /** undefined where there is no Redis. */
  checkRedis: (() => Promise<void>) | undefined;
  /** Gives Redis the tombstones it missed. */
  deliverGraves(): Promise<void>;
  close(): Promise<void>;
};

export type OpenOptions = {
  config: Config;
  log: Logger;
  migrationsDir: string;
  observe?: DatabaseOptions['observe'];
  observeCommit?: DatabaseOptions['observeCommit'];
  observeRedis?: ObserveRedis | undefined;
  /** For commands: use the embedded database of a server that runs, and leave it running. */
  attach?: boolean;
  /** One of several processes of a host: the schema was brought up to date, and the embedded database is held, by their primary. */
  held?: boolean;
};

/** Connections of one process. The embedded database has 40 for all of them and whatever command runs beside. */
function poolSizes({ database, webConcurrency }: Config): { server: number; operator: number } {
  if (database.kind !== 'embedded' || webConcurrency === 1) return { server: 12, operator: 4 };
  return {
    server: Math.max(2, Math.floor(16 / webConcurrency)),
    operator: Math.max(1, Math.floor(6 / webConcurrency)),
  };
}

type Role = Pick<DatabaseOptions, 'connection' | 'applicationName' | 'poolSize' | 'ofApps'>;

/** Starts or connects to the stores the configuration names, with the schema up to date. */
export async function openStores(options: OpenOptions): Promise<Stores> {
  const { config, log } = options;
  const where = await locateDatabase(options);
  try {
    if (!options.held) await migrateAt(where, options);
    await assertServerRole(where.serverConnection);
    const open = (role: Role): Database =>
      new Database({
        ...role,
        pooler: config.database.kind === 'external' ? config.database.pooler : undefined,
        log: (message, fields) => log.warn(fields, message),
        ...(options.observe ? { observe: options.observe } : {}),
        ...(options.observeCommit ? { observeCommit: options.observeCommit } : {}),
      });
    const sizes = poolSizes(config);
    const db = open({
      connection: where.serverConnection,
      applicationName: 'latchkey',
      poolSize: sizes.server,
      ofApps: true,
    });
    const operatorDb = open({
      connection: where.operatorConnection,
      applicationName: 'latchkey-operator',
      poolSize: sizes.operator,
    });
    const replica = openReplica({ where, primary: operatorDb, config, log }, open);
    // What can not serve, behind a pooler that it was not told of, does not begin.
    await Promise.all([db.ping(), operatorDb.ping()]);
    const graves = pendingGraves(db, operatorDb);
    // Loaded only where there is a Redis: a start without one is a tenth of a second faster.
    const redis =
      config.redis &&
      (await (
        await import('./storage/redis.ts')
      ).connectRedis(config.redis, (message, fields) => log.warn(fields, message), options.observeRedis));
    return composeStores({ db, operatorDb, replica, graves, redis, log, stopDatabase: where.stop });
  } catch (error) {
    await where.stop();
    throw error;
  }
}

/** Whether it is there does not matter for the start. */
function openReplica(
  { where, primary, config, log }: { where: Where; primary: Database } & Pick<OpenOptions, 'config' | 'log'>,
  open: (role: Role) => Database,
): Replica | undefined {
  const { replica } = where;
  if (!replica || config.database.kind !== 'external' || !config.database.replica) return undefined;
  const sizes = poolSizes(config);
  const standby = {
    server: open({
      connection: replica.serverConnection,
      applicationName: 'latchkey-lists',
      poolSize: sizes.server,
      ofApps: true,
    }),
    operator: open({
      connection: replica.operatorConnection,
      applicationName: 'latchkey-operator-lists',
      poolSize: sizes.operator,
    }),
  };
  const { maxLagSeconds } = config.database.replica;
  return new Replica({ primary, standby, maxLagSeconds, log });
}

const migrateAt = (where: Where, { migrationsDir, log }: OpenOptions): Promise<string[]> =>
  migrate({ ...where, migrationsDir, log: (message, fields) => log.info(fields, message) });

/** For the primary of several processes: the schema brought up to date, and the embedded database running until `stop`. */
export async function holdDatabase(options: OpenOptions): Promise<{ stop(): Promise<void> }> {
  const where = await locateDatabase(options);
  try {
    await migrateAt(where, options);
    return where;
  } catch (error) {
    await where.stop();
    throw error;
  }
}

/** Only brings the schema up to date. Returns the migrations applied. */
export async function migrateOnly(options: OpenOptions): Promise<string[]> {
  const where = await locateDatabase(options);
  try {
    return await migrateAt(where, options);
  } finally {
    await where.stop();
  }
}

/** What migrating would do. Changes nothing. */
export async function planOnly(options: OpenOptions): Promise<Plan> {
  const where = await locateDatabase({ ...options, attach: true });
  try {
    return await planMigrations({ ...where, migrationsDir: options.migrationsDir });
  } finally {
    await where.stop();
  }
}

type Parts = {
  db: Database;
  operatorDb: Database;
  replica: Replica | undefined;
  graves: PendingGraves;
  redis: RedisConnection | undefined;
  log: Logger;
  stopDatabase(): Promise<void>;
};

function composeStores({ db, operatorDb, replica, graves, redis, log, stopDatabase }: Parts): Stores {
  const cache = redis
    ? artifactCacheOnRedis(redis, graves, (message, fields) => log.warn(fields, message))
    : noArtifactCache;
  return {
    db,
    operatorDb,
    replica,
    ephemeral: redis ? ephemeralOnRedis(redis) : ephemeralOnPostgres(db),
    cache,
    checkDatabase: () => db.ping(),
    checkRedis: redis && (() => redis.ping()),
    async deliverGraves() {
      if (redis) await graves.deliver(redis);
    },
    async close() {
      cache.close();
      await redis?.close();
      await Promise.all([db.close(), operatorDb.close(), replica?.close()]);
      await stopDatabase();
    },
  };
}

/** Where the database of a configuration is, and how each role gets in. `stop` ends what was started for it. */
export type Where = {
  connection: pg.ClientConfig;
  serverConnection: pg.PoolConfig;
  operatorConnection: pg.PoolConfig;
  server: Login;
  operator: Login;
  /** The same roles on a standby. */
  replica?: { serverConnection: pg.PoolConfig; operatorConnection: pg.PoolConfig };
  stop(): Promise<void>;
};

export async function locateDatabase({
  config,
  log,
  attach,
  held,
}: Pick<OpenOptions, 'config' | 'log' | 'attach' | 'held'>): Promise<Where> {
  if (config.database.kind === 'embedded') {
    const running = attach || held ? await runningPostgres(config.dataDir) : undefined;
    const postgres =
      (running && { ...running, stop: () => Promise.resolve() }) ??
      (await startEmbeddedPostgres({
        dataDir: config.dataDir,
        log: (message, fields) => log.info(fields ?? {}, message),
      }));
    const as = (user: string): pg.ClientConfig => ({
      host: postgres.socketDir,
      database: postgres.database,
      user,
    });
    return {
      connection: as('postgres'),
      serverConnection: as('latchkey_server'),
      operatorConnection: as('latchkey_operator'),
      server: { user: 'latchkey_server' },
      operator: { user: 'latchkey_operator' },
      stop: () => postgres.stop(),
    };
  }
  const owner = new URL(config.database.migrationUrl.reveal());
  const serverUrl = config.database.ownerIsServer
    ? derivedUrl(owner, 'latchkey_server')
    : new URL(config.database.url.reveal());
  const operatorUrl = config.database.operatorUrl
    ? new URL(config.database.operatorUrl.reveal())
    : derivedUrl(owner, 'latchkey_operator');
  const connectionOf = (url: URL): pg.ClientConfig => ({ connectionString: url.href });
  const replica = config.database.replica && new URL(config.database.replica.url.reveal());
  return {
    ...(replica && {
      replica: {
        serverConnection: connectionOf(atReplica(replica, serverUrl)),
        operatorConnection: connectionOf(atReplica(replica, operatorUrl)),
      },
    }),
    connection: connectionOf(owner),
    serverConnection: connectionOf(serverUrl),
    operatorConnection: connectionOf(operatorUrl),
    server: loginOf(serverUrl),
    operator: loginOf(operatorUrl),
    stop: () => Promise.resolve(),
  };
}

/** Where only the owner's URL is known, the other roles' passwords follow from the owner's: nothing more to keep secret. */
function derivedUrl(owner: URL, user: string): URL {
  const url = new URL(owner);
  url.username = user;
  url.password = createHmac('sha256', decodeURIComponent(owner.password))
    .update(`latchkey role ${user}`)
    .digest('base64url');
  return url;
}

/** Roles and passwords are replicated, so they are the same there; and so is all that the replica's URL does not say otherwise. */
function atReplica(replica: URL, role: URL): URL {
  const url = new URL(replica);
  url.username = role.username;
  url.password = role.password;
  if (url.pathname.length <= 1) url.pathname = role.pathname;
  for (const [name, value] of role.searchParams)
    if (name !== 'host' && name !== 'port' && !url.searchParams.has(name)) url.searchParams.set(name, value);
  return url;
}

function loginOf(url: URL): Login {
  return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) || undefined };
}

export const migrationsDirOf = (root: string): string => join(root, 'migrations');
