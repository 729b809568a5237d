import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { get } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { identifyProcess } from '../../src/storage/process-identity.ts';
import { endWithThisProcess } from '../../src/storage/watchdog.ts';
import { Agent } from '../support/agent.ts';
import { freePort, has, type Mail, type TestLatchkey } from '../support/app.ts';
import { ownerOf } from '../support/migrations.ts';
import { type Connection, createEmptyDatabase, dropDatabase, testRedisUrl } from '../support/servers.ts';
import { type Balancer, startBalancer, type Target } from './balancer.ts';
import type { Release } from './release.ts';

const READY_LIMIT_MS = 120_000;

type Said = { out: string; err: string };
export type Ended = Said & { code: number | null };
export type Instance = Target & { stop(): Promise<Ended> };

/** Stores, one address, and whichever processes serve behind it. What tests do with a Latchkey goes through the address. */
export type Deployment = {
  database: Connection;
  owner: pg.Client;
  balancer: Balancer;
  lk: TestLatchkey;
  /** A process of that release, serving when it resolves. */
  start(release: Release): Promise<Instance>;
  /** A command of that release, to its end. */
  run(release: Release, ...args: string[]): Promise<Ended>;
  /** What the processes wrote into their logs as errors. */
  errors(): string[];
  end(): Promise<void>;
};

export async function startDeployment(): Promise<Deployment> {
  const database = await createEmptyDatabase();
  const owner = await ownerOf(database);
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-upgrade-'));
  const balancer = await startBalancer(await freePort());
  const baseUrl = `http://localhost:${balancer.port}`;
  const adminKey = randomBytes(32).toString('base64url');
  const env = environmentOf({ database, dataDir, baseUrl, adminKey });
  const instances: Instance[] = [];
  const logs: { name: string; said: Said }[] = [];
  const spawned = (release: Release, args: string[], more: Record<string, string>) =>
    spawnIn(release, args, { ...env, ...more });
  return {
    database,
    owner,
    balancer,
    lk: latchkeyAt({ baseUrl, adminKey, owner, instances }),
    async start(release) {
      const port = await freePort();
      const { child, ended, said } = spawned(release, ['start'], { PORT: String(port) });
      logs.push({ name: release.name, said });
      const instance: Instance = {
        name: release.name,
        port,
        async stop() {
          instances.splice(instances.indexOf(instance), 1);
          child.kill('SIGTERM');
          return ended;
        },
      };
      await ready(port, child, ended);
      instances.push(instance);
      return instance;
    },
    run: (release, ...args) => spawned(release, args, {}).ended,
    errors: () =>
      logs.flatMap(({ name, said }) => errorsIn(said.out + said.err).map((line) => `${name}: ${line}`)),
    async end() {
      await Promise.all([...instances].map((one) => one.stop()));
      await balancer.close();
      await owner.end();
      await dropDatabase(database);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

type Place = { database: Connection; dataDir: string; baseUrl: string; adminKey: string };

function environmentOf({ database, dataDir, baseUrl, adminKey }: Place): Record<string, string> {
  const urlOf = (user: string): string =>
    `postgres://${user}@localhost/${database.database}?host=${encodeURIComponent(database.host)}`;
  return {
    PATH: process.env['PATH']!,
    LATCHKEY_ENV: 'development',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    BASE_URL: baseUrl,
    DATA_DIR: dataDir,
    TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
    ADMIN_API_KEY: adminKey,
    ENCRYPTION_KEYS: randomBytes(32).toString('base64url'),
    DATABASE_URL: urlOf('latchkey_server'),
    DATABASE_MIGRATION_URL: urlOf('postgres'),
    DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
    REDIS_URL: testRedisUrl(database),
  };
}

function spawnIn(
  release: Release,
  args: string[],
  env: Record<string, string>,
): { child: ChildProcess; ended: Promise<Ended>; said: Said } {
  const child = spawn(process.execPath, [join(release.dir, 'bin', 'latchkey.mjs'), ...args], {
    cwd: tmpdir(),
    env,
  });
  const known = identifyProcess(child.pid ?? 0);
  const callOff = known ? endWithThisProcess(known) : () => {};
  const said = { out: '', err: '' };
  child.stdout.on('data', (data) => (said.out += String(data)));
  child.stderr.on('data', (data) => (said.err += String(data)));
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => {
      callOff();
      resolve({ code, ...said });
    }),
  );
  return { child, ended, said };
}

const errorsIn = (log: string): string[] =>
  log.split('\n').filter((line) => /"level":"(error|fatal)"|^(\w*Error|error|node:|    at |Node)/.test(line));

async function ready(port: number, child: ChildProcess, ended: Promise<Ended>): Promise<void> {
  for (const limit = Date.now() + READY_LIMIT_MS; Date.now() < limit; await sleep(50)) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
  }
  child.kill('SIGKILL');
  const { code, out, err } = await ended;
  throw new Error(`it did not become ready (${code}):\n${out}\n${err}`);
}

type Doors = { baseUrl: string; adminKey: string; owner: pg.Client; instances: readonly Instance[] };

/** Not by fetch, which says itself which host it asks. */
function inboxOf(port: number, host: string): Promise<Mail[]> {
  return new Promise((resolve, reject) => {
    const asked = get({ port, host: '127.0.0.1', path: '/dev/inbox.json', headers: { host } }, (answer) => {
      let text = '';
      answer
        .on('data', (data) => (text += String(data)))
        .on('end', () => {
          if (answer.statusCode === 200) resolve(JSON.parse(text) as Mail[]);
          else reject(new Error(`the inbox is answered ${answer.statusCode}`));
        });
    });
    asked.once('error', reject);
  });
}

/** As far as the helpers of other tests need one. */
function latchkeyAt({ baseUrl, adminKey, owner, instances }: Doors): TestLatchkey {
  const inbox = (port: number): Promise<Mail[]> => inboxOf(port, new URL(baseUrl).host);
  /** Any of the processes may have sent them. */
  const mails = async (address: string, count: number, isMeant: (mail: Mail) => boolean): Promise<Mail[]> => {
    for (const limit = Date.now() + 60_000; ; await sleep(50)) {
      const all = (await Promise.all(instances.map(({ port }) => inbox(port)))).flat();
      const found = all
        .filter((mail) => mail.to === address && isMeant(mail))
        .toSorted((a, b) => b.sent_at.localeCompare(a.sent_at));
      if (found.length >= count) return found;
      if (Date.now() > limit) throw new Error(`only ${found.length} of ${count} mails came for ${address}`);
    }
  };
  const lk: Partial<TestLatchkey> = {
    baseUrl,
    agent: (headers) => new Agent(baseUrl, headers),
    async admin(method, path, body) {
      const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await fetch(`${baseUrl}/api/v1${path}`, { method, headers, ...sent });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : undefined, headers: answer.headers };
    },
    sql: async (text, values = []) => (await owner.query(text, values)).rows,
    mailsTo: (address, count = 1) => mails(address, count, () => true),
    mailWith: async (address, words) => (await mails(address, 1, (mail) => has(mail, words)))[0]!,
  };
  return lk as TestLatchkey;
}
