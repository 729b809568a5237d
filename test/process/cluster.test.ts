import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { freePort } from '../support/app.ts';
import { type Connection, createDatabase, dropDatabase } from '../support/servers.ts';
import '../support/stores.ts';

const entry = new URL('../../bin/latchkey.mjs', import.meta.url).pathname;
const ADMIN_KEY = 'cluster-admin-key-0123456789-0123456789';
const LIMIT_MS = 60_000;

/** Asks again until it is so: nothing here depends on how fast anything is. */
async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; await sleep(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited in vain: ${what}`);
}

/** Processes whose parent this is. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const isNode = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('latchkey.mjs');
        return Number(parent) === pid && state !== 'Z' && isNode;
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

const isAlive = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
};

describe('several processes on one port', function () {
  this.timeout(180_000);
  let dataDir: string;
  let database: Connection;
  let base: string;
  let child: ChildProcess;
  let output = '';
  let ended: Promise<number | null>;

  before(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'latchkey-cluster-'));
    database = await createDatabase();
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    const urlOf = (user: string): string =>
      `postgres://${user}@localhost/${database.database}?host=${encodeURIComponent(database.host)}`;
    child = spawn(process.execPath, [entry, 'start'], {
      cwd: tmpdir(),
      env: {
        PATH: process.env['PATH']!,
        DATA_DIR: dataDir,
        PORT: String(port),
        BASE_URL: `http://localhost:${port}`,
        WEB_CONCURRENCY: '2',
        ADMIN_API_KEY: ADMIN_KEY,
        DATABASE_URL: urlOf('latchkey_server'),
        DATABASE_MIGRATION_URL: urlOf('postgres'),
        DATABASE_OPERATOR_URL: urlOf('latchkey_operator'),
      },
    });
    ended = new Promise((resolve) => child.once('close', resolve));
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (data: Buffer) => {
        output += data.toString();
      });
    await until('all processes serve', () => (/is running/.test(output) ? true : undefined));
  });
  after(async () => {
    if (child.exitCode === null) child.kill('SIGKILL');
    await ended;
    await dropDatabase(database);
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** On a connection of its own, which may go to any of the processes. */
  const ask = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${base}${path}`, {
      method,
      // What was on its way to a process that died gets no answer.
      signal: AbortSignal.timeout(10_000),
      headers: {
        connection: 'close',
        authorization: `Bearer ${ADMIN_KEY}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const statusOf = async (method: string, path: string, body?: object): Promise<number> => {
    const response = await ask(method, path, body);
    await response.arrayBuffer();
    return response.status;
  };

  it('greets once, serves with as many as were asked for, and each sees what another changed', async () => {
    expect(output.match(/is running/g)).to.have.length(1);
    expect(childrenOf(child.pid!)).to.have.length(2);
    const app = { app_id: 'shop', name: 'Shop', type: 'web', redirect_uris: ['http://localhost:1/callback'] };
    expect(await statusOf('POST', '/api/v1/apps', app)).to.equal(201);
    const keysPath = '/auth/shop/.well-known/jwks.json';
    // Every process has seen the app before something about it changes.
    for (let time = 0; time < 8; time += 1) expect(await statusOf('GET', keysPath)).to.equal(200);
    const rotated = await ask('POST', '/api/v1/apps/shop/keys/rotate', {});
    expect(rotated.status, await rotated.text()).to.be.lessThan(300);
    await until('eight answers in a row know both keys', async () => {
      for (let time = 0; time < 8; time += 1) {
        const { keys } = (await (await ask('GET', keysPath)).json()) as { keys: unknown[] };
        if (keys.length < 2) return undefined;
      }
      return true;
    });
    expect(await statusOf('PATCH', '/api/v1/apps/shop', { disabled: true })).to.equal(200);
    await until('eight refusals in a row', async () => {
      for (let time = 0; time < 8; time += 1)
        if ((await statusOf('GET', '/auth/shop/.well-known/openid-configuration')) === 200) return undefined;
      return true;
    });
  });

  it('tells the metrics of all, whichever process is asked', async () => {
    const counted = async (): Promise<number> => {
      const text = await (await ask('GET', '/metrics')).text();
      const lines = text.matchAll(
        /^http_server_request_duration_seconds_count\{[^}]*"\/healthz"[^}]*\} (\d+)/gm,
      );
      return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await counted();
    for (let time = 0; time < 10; time += 1) expect(await statusOf('GET', '/healthz')).to.equal(200);
    await until('ten more are counted, four times in a row', async () => {
      for (let time = 0; time < 4; time += 1) if ((await counted()) - before < 10) return undefined;
      return true;
    });
    expect(await counted()).to.equal(before + 10);
  });

  it('puts another process in the place of one that dies, and answers meanwhile', async () => {
    const [first, second] = childrenOf(child.pid!);
    process.kill(first!, 'SIGKILL');
    await until('it is gone', () => (isAlive(first!) ? undefined : true));
    const answered = await until('an answer', () => statusOf('GET', '/healthz').catch(() => undefined));
    expect(answered).to.equal(200);
    await until('another serves', () => (/serves in its place/.test(output) ? true : undefined));
    const now = childrenOf(child.pid!);
    expect(now).to.have.length(2);
    expect(now).to.include(second!);
    expect(now).not.to.include(first!);
  });

  it('ends with all of them at SIGTERM, with 0', async () => {
    const all = childrenOf(child.pid!);
    child.kill('SIGTERM');
    expect(await ended, output).to.equal(0);
    expect(all.filter(isAlive)).to.deep.equal([]);
    expect(output).not.to.match(/ended by itself[\s\S]*ended by itself/);
  });
});
