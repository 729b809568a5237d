import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts';
import { identifyProcess } from '../../src/storage/process-identity.ts';
import { endWithThisProcess } from '../../src/storage/watchdog.ts';

export type Connection = { host: string; database: string };
export type PrivatePostgres = Connection & {
  pid(): number;
  start(): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<void>;
};
export type PrivateRedis = {
  url: string;
  pid(): number;
  start(): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<void>;
};

/** Mocha's workers run files side by side: each has a template, and numbers of Redis databases, of its own. */
const WORKER = Number(process.env['MOCHA_WORKER_ID'] ?? 0);
const TEMPLATE = `latchkey_template_${WORKER}`;
const REDIS_DATABASES_PER_WORKER = 1000;
const redisDatabases = new Map<string, number>();
const own: { end(): Promise<void> }[] = [];
let migrateTemplate: (connection: Connection) => Promise<void> = async () => {};
let template: Promise<void> | undefined;

/** One Postgres and one Redis for the whole run; the variables reach mocha's workers and child processes. */
export async function startServers(): Promise<void> {
  const [postgres, redis] = await Promise.all([startPrivatePostgres(), startPrivateRedis()]);
  process.env['TEST_LATCHKEY_SOCKET_DIR'] = postgres.host;
  process.env['TEST_LATCHKEY_REDIS_URL'] = redis.url;
}

/** Ends every server that this module started, also those that a failed test forgot. */
export async function stopServers(): Promise<void> {
  await Promise.all(own.splice(0).map((server) => server.end()));
}

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

/** A part of the run's Redis that belongs to one Postgres database: what one test counts, no other test meets. */
export function testRedisUrl(of: Pick<Connection, 'database'>): string {
  let number = redisDatabases.get(of.database);
  if (number === undefined) {
    number = WORKER * REDIS_DATABASES_PER_WORKER + redisDatabases.size;
    redisDatabases.set(of.database, number);
  }
  return `${required('TEST_LATCHKEY_REDIS_URL')}/${number}`;
}

/** Empties the Redis named. */
export async function flushRedis(url: string): Promise<void> {
  const reply = await askRedis(Number(new URL(url).port), 'FLUSHALL');
  if (!reply.startsWith('+OK')) throw new Error(`FLUSHALL was answered ${reply}`);
}

/** A Postgres that a test may stop and start without harming the others. `end()` removes its data as well. */
export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  let running: EmbeddedPostgres | undefined;
  const start = async (): Promise<void> => {
    running ??= await startEmbeddedPostgres({ dataDir, durable: false, log: () => {} });
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

/** A Redis on a loopback port that stays the same over stop and start. It keeps nothing on disk. */
export async function startPrivateRedis(): Promise<PrivateRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  let callOff = (): void => {};
  const start = async (): Promise<void> => {
    if (child) return;
    child = spawnRedis(port, dir);
    const known = identifyProcess(child.pid ?? 0);
    if (known) callOff = endWithThisProcess(known);
    await answering(port, child);
  };
  const stop = async (): Promise<void> => {
    child?.ref(); // nothing else may keep this process alive until Redis has ended
    const ended = child && new Promise((resolve) => child?.once('exit', resolve));
    if (child?.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await ended;
    child = undefined;
    callOff();
  };
  await start();
  const end = (): Promise<void> => stop().then(() => rmSync(dir, { recursive: true, force: true }));
  const server = { url: `redis://127.0.0.1:${port}`, pid: () => child?.pid ?? 0, start, stop, end };
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

function spawnRedis(port: number, dir: string): ChildProcess {
  const program = process.env['REDIS_SERVER_PATH'] ?? '/usr/bin/redis-server';
  if (!existsSync(program)) {
    throw new Error(
      `no Redis at ${program}: run \`node tools/ensure-test-tools.mjs\` or set REDIS_SERVER_PATH`,
    );
  }
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    dir,
    '--databases',
    String(8 * REDIS_DATABASES_PER_WORKER),
  ];
  const child = spawn(program, settings, { stdio: 'ignore', detached: true });
  child.unref();
  return child;
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(20)) {
    if (child.exitCode !== null) break;
    if ((await askRedis(port, 'PING').catch(() => '')).startsWith('+PONG')) return;
  }
  throw new Error(`Redis did not start on port ${port}`);
}

function askRedis(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write(`${command}\r\n`));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
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

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run the tests with mocha, whose setup starts the servers`);
  return value;
}
