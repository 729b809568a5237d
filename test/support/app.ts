import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Latchkey, startLatchkey } from '../../src/app.ts';
import { isInRequest } from '../../src/http/after-answer.ts';
import type { HasherOptions } from '../../src/sign-in/passwords/hash.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { ResolveTxt } from '../../src/apps/domains/name-servers.ts';
import type { DatabaseOptions } from '../../src/storage/database.ts';
import type { ObserveRedis } from '../../src/storage/redis.ts';
import { createLogger, type Logger, silentLogger } from '../../src/telemetry/log.ts';
import { Agent } from './agent.ts';
import { freePort } from './program.ts';
import { startProcesses } from './processes.ts';
import { createDatabase, dropDatabase, engine, ownerUrlOf, testRedisUrl, urlOf } from './servers.ts';
import './stores.ts';

export type Driver = 'postgres' | 'redis';
/** Where Redis is what is tried, everything is tried with it. */
const onRedis = engine === 'cluster' || engine === 'sentinel';
export const drivers: readonly Driver[] = onRedis ? ['redis'] : ['postgres', 'redis'];
export { freePort };

export type Mail = {
  id: string;
  channel: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  sent_at: string;
};

export type TestLatchkey = {
  baseUrl: string;
  latchkey: Latchkey;
  admin(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: any; headers: Headers }>;
  /** Mails to an address, newest first; waits until there are `count`. */
  mailsTo(address: string, count?: number): Promise<Mail[]>;
  /** The newest mail to an address with these words in its subject or text; waits for it, whatever else comes before. */
  mailWith(address: string, words: string | RegExp): Promise<Mail>;
  agent(headers?: Record<string, string>): Agent;
  /** One statement as the database's owner, whom row-level security does not bind: for looking at rows and for moving their clocks. */
  sql<Row = Record<string, any>>(text: string, values?: unknown[]): Promise<Row[]>;
  /** The same in a transaction that stays open, and holds its locks, until it is committed. */
  hold(text: string, values?: unknown[]): Promise<{ commit(): Promise<void> }>;
  stop(): Promise<void>;
};

export type TestOptions = {
  driver?: Driver;
  env?: Record<string, string>;
  /** What observes is told of what requests do, not of the chores beside them. */
  observe?: DatabaseOptions['observe'];
  observeCommit?: DatabaseOptions['observeCommit'];
  observeRedis?: ObserveRedis;
  /** The host in URLs; the server listens on loopback. */
  database?: { host: string; database: string };
  redisUrl?: string;
  /** Stands in for the name servers. */
  resolveTxt?: ResolveTxt;
  /** How far behind the process is taken to be (not at all: a slow machine is no storm of sign-ins), and what hashes its passwords. */
  behind?: () => number;
  hashing?: HasherOptions;
  /** Where log lines go; silent without it, unless TEST_LOG is set. */
  log?: Logger;
};

const ADMIN_KEY = 'test-admin-key-0123456789-0123456789-abcdef';

/** The whole program on a free port, with a database of its own. */
export async function startTestLatchkey(options: TestOptions = {}): Promise<TestLatchkey> {
  const database = options.database ?? (await createDatabase());
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-data-'));
  const port = await freePort();
  // Where it listens: a test that starts again where another instance was names the port.
  const baseUrl = `http://localhost:${options.env?.['PORT'] ?? port}`;
  const env = {
    LATCHKEY_ENV: 'development',
    BASE_URL: baseUrl,
    PORT: String(port),
    DATA_DIR: dataDir,
    DATABASE_URL: urlOf(database, 'latchkey_server'),
    DATABASE_MIGRATION_URL: ownerUrlOf(database),
    DATABASE_OPERATOR_URL: urlOf(database, 'latchkey_operator'),
    ...(engine === 'pgbouncer' ? { DATABASE_POOLER: process.env['TEST_POOLER'] ?? 'unprepared' } : {}),
    ADMIN_API_KEY: ADMIN_KEY,
    // Machines that run tests may be slow.
    REQUEST_TIMEOUT: '60',
    ENCRYPTION_KEYS: randomBytes(32).toString('base64url'),
    ...(onRedis || options.driver === 'redis'
      ? { REDIS_URL: options.redisUrl ?? testRedisUrl(database) }
      : {}),
    ...options.env,
  };
  const config = loadConfig({ cwd: dataDir, env });
  const latchkey =
    engine === 'processes' ? await startProcesses(config, env) : await startHere(config, options);
  return {
    baseUrl,
    latchkey,
    async admin(method, path, body, headers) {
      const answer = await callAdmin(baseUrl, { method, path, body, headers });
      // The other process knows an app's settings as of two seconds ago at most.
      if (engine === 'processes' && method !== 'GET' && OF_AN_APP.test(path)) await sleep(2200);
      return answer;
    },
    mailsTo: (address, count = 1) => waitForMails(baseUrl, address, { count }),
    mailWith: async (address, words) => (await waitForMails(baseUrl, address, { count: 1, words }))[0]!,
    agent: (headers) => new Agent(baseUrl, headers),
    sql: (text, values) => asOwner(database, text, values),
    hold: (text, values) => holdAsOwner(database, text, values),
    async stop() {
      await latchkey.close();
      if (!options.database) await dropDatabase(database);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** What belongs to a process's picture of an app. */
const OF_AN_APP = /^\/apps\/[^/]+(?:$|\/(?!users|sessions))/;

function startHere(config: Config, options: TestOptions): Promise<Latchkey> {
  const log =
    options.log ??
    (process.env['TEST_LOG'] ? createLogger({ logLevel: 'debug', logFormat: 'text' }) : silentLogger);
  return startLatchkey({
    config,
    log,
    version: 'test',
    root: new URL('../..', import.meta.url).pathname,
    ...(options.observe ? { observe: inRequests(options.observe) } : {}),
    ...(options.observeCommit ? { observeCommit: inRequests(options.observeCommit) } : {}),
    ...(options.observeRedis ? { observeRedis: inRequests(options.observeRedis) } : {}),
    resolveTxt: options.resolveTxt,
    behind: options.behind ?? (() => 0),
    hashing: options.hashing,
  });
}

const inRequests =
  <T>(observe: (seen: T) => void) =>
  (seen: T): void => {
    if (isInRequest()) observe(seen);
  };

async function asOwner<Row>(
  database: { host: string; database: string },
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ ...database, user: 'postgres' });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Row[];
  } finally {
    await client.end();
  }
}

async function holdAsOwner(
  database: { host: string; database: string },
  text: string,
  values: unknown[] = [],
): Promise<{ commit(): Promise<void> }> {
  const client = new pg.Client({ ...database, user: 'postgres' });
  await client.connect();
  await client.query('begin');
  await client.query(text, values);
  return {
    async commit() {
      await client.query('commit');
      await client.end();
    },
  };
}

async function callAdmin(
  baseUrl: string,
  call: { method: string; path: string; body: unknown; headers: Record<string, string> | undefined },
): Promise<{ status: number; body: any; headers: Headers }> {
  const response = await fetch(`${baseUrl}/api/v1${call.path}`, {
    method: call.method,
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...call.headers,
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : undefined, headers: response.headers };
}

/** Each process has an inbox of its own. */
async function inboxOf(baseUrl: string): Promise<Mail[]> {
  const all = new Map<string, Mail>();
  for (let process = 0; process < (engine === 'processes' ? 2 : 1); process += 1) {
    const mails = (await (await fetch(`${baseUrl}/dev/inbox.json`)).json()) as Mail[];
    for (const mail of mails) all.set(mail.id, mail);
  }
  return [...all.values()].sort((a, b) => b.sent_at.localeCompare(a.sent_at));
}

/** Whether these words are in its subject or text, or this pattern in its text. */
export const has = ({ subject, text }: Mail, words: string | RegExp): boolean =>
  typeof words === 'string' ? `${subject}\n${text}`.includes(words) : words.test(text);

async function waitForMails(
  baseUrl: string,
  address: string,
  { count, words = '' }: { count: number; words?: string | RegExp },
): Promise<Mail[]> {
  const isMeant = (mail: Mail): boolean => mail.to === address && has(mail, words);
  for (const deadline = Date.now() + 20_000; ; ) {
    const found = (await inboxOf(baseUrl)).filter(isMeant);
    if (found.length >= count) return found;
    if (Date.now() > deadline)
      throw new Error(
        `only ${found.length} of ${count} mails came for ${address}, with ${words || 'any words'}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export const LINK = /https?:\/\/\S+\/(?:magic-link|sign-up|reset|invitation)\/[A-Za-z0-9_-]+/;

/** The link of a mail. */
export const linkIn = (mail: Mail): string => LINK.exec(mail.text)![0];
