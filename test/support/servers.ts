import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts';
import { startPgBouncer } from './pgbouncer.ts';
import { endPrograms, own, type Program } from './program.ts';
import { emptyRedisCluster, startRedisCluster } from './redis-cluster.ts';
import { startRedisWithSentinels } from './redis-sentinels.ts';
import { startRedisServer } from './redis-server.ts';

export type Connection = { host: string; database: string };
export type PrivatePostgres = Connection & {
  pid(): number;
  start(): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<void>;
};
export type PrivateRedis = Program & { url: string };

/** What the suites run on instead of a plain Redis and Postgres: `npm run test:scale` (tools/scale.mjs). */
export type Engine = 'cluster' | 'sentinel' | 'pgbouncer' | 'processes';
export const engine = process.env['TEST_ENGINE'] as Engine | undefined;

/** Mocha's workers run files side by side: each has a template, and numbers of Redis databases, of its own. */
const WORKER = Number(process.env['MOCHA_WORKER_ID'] ?? 0);
const TEMPLATE = `latchkey_template_${WORKER}`;
const REDIS_DATABASES_PER_WORKER = 1000;
const redisDatabases = new Map<string, number>();
let migrateTemplate: (connection: Connection) => Promise<void> = async () => {};
let template: Promise<void> | undefined;

/** One Postgres and one Redis for the whole run; the variables reach mocha's workers and child processes. */
export async function startServers(): Promise<void> {
  const [postgres, redis] = await Promise.all([startPrivatePostgres(), startRedis()]);
  process.env['TEST_LATCHKEY_SOCKET_DIR'] = postgres.host;
  process.env['TEST_LATCHKEY_REDIS_URL'] = redis.url;
  if (engine !== 'pgbouncer') return;
  const prepared = process.env['TEST_POOLER'] === 'prepared';
  const pooler = await startPgBouncer(postgres.host, { poolSize: 4, prepared });
  process.env['TEST_LATCHKEY_POOLER_PORT'] = String(pooler.port);
}

const startRedis = (): Promise<{ url: string }> => {
  if (engine === 'cluster') return startRedisCluster();
  return engine === 'sentinel' ? startRedisWithSentinels() : startPrivateRedis();
};

export const stopServers = endPrograms;

/** What turns an empty database into one with our tables; run once, every test database is a copy of it. */
export function setTemplate(migrate: (connection: Connection) => Promise<void>): void {
  migrateTemplate = migrate;
  template = undefined;
}

/** A fresh database with our tables. Connect as user `postgres`, without a password. */
export async function createDatabase(): Promise<Connection> {
  await (template ??= createTemplate());
  const database = `t_${randomBytes(8).toString('hex')}`;
  await administer(`create database ${database} template ${TEMPLATE} strategy wal_log`);
  if (engine === 'cluster') await emptyRedisCluster(required('TEST_LATCHKEY_REDIS_URL'));
  return { host: testSocketDir(), database };
}

/** A database with nothing in it, not even tables. */
export async function createEmptyDatabase(): Promise<Connection> {
  const database = `t_${randomBytes(8).toString('hex')}`;
  await administer(`create database ${database}`);
  return { host: testSocketDir(), database };
}

/** Ends the connections that are still open to it, too. */
export async function dropDatabase({ database }: Pick<Connection, 'database'>): Promise<void> {
  await administer(`drop database if exists ${database} with (force)`);
}

export function testSocketDir(): string {
  return required('TEST_LATCHKEY_SOCKET_DIR');
}

/** How a role gets to a database: through the pooler if there is one. */
export function urlOf({ host, database }: Connection, user: string): string {
  const port = process.env['TEST_LATCHKEY_POOLER_PORT'];
  return port === undefined
    ? directUrlOf({ host, database }, user)
    : `postgres://${user}@127.0.0.1:${port}/${database}`;
}

const directUrlOf = ({ host, database }: Connection, user: string): string =>
  `postgres://${user}@localhost/${database}?host=${encodeURIComponent(host)}`;

export const ownerUrlOf = (connection: Connection): string => directUrlOf(connection, 'postgres');

/** A part of the run's Redis that belongs to one Postgres database: what one test counts, no other test meets. */
export function testRedisUrl(of: Pick<Connection, 'database'>): string {
  let number = redisDatabases.get(of.database);
  if (number === undefined) {
    number = WORKER * REDIS_DATABASES_PER_WORKER + redisDatabases.size;
    redisDatabases.set(of.database, number);
  }
  const url = required('TEST_LATCHKEY_REDIS_URL');
  return engine === 'cluster' ? url : `${url}/${number}`;
}

/** A Redis that a test may stop and start without harming the others. */
export const startPrivateRedis = (): Promise<PrivateRedis> =>
  startRedisServer({ databases: String(8 * REDIS_DATABASES_PER_WORKER) });

/** Two files run side by side, each with two pools of twenty and programs of its own: more than the embedded default. */
const SETTINGS = { max_connections: '200' };

/** A Postgres that a test may stop and start without harming the others. `end()` removes its data as well. */
export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  let running: EmbeddedPostgres | undefined;
  const start = async (): Promise<void> => {
    running ??= await startEmbeddedPostgres({ dataDir, durable: false, settings: SETTINGS, log: () => {} });
  };
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  await start();
  const { socketDir: host, database } = running as unknown as EmbeddedPostgres;
  const end = (): Promise<void> => stop().then(() => rmSync(dataDir, { recursive: true, force: true }));
  const server = { host, database, pid: () => running?.pid ?? 0, start, stop, end };
  own.push(server);
  return server;
}

async function createTemplate(): Promise<void> {
  await administer(`drop database if exists ${TEMPLATE} with (force)`);
  await administer(`create database ${TEMPLATE}`);
  await migrateTemplate({ host: testSocketDir(), database: TEMPLATE });
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ host: testSocketDir(), user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run the tests with mocha, whose setup starts the servers`);
  return value;
}
