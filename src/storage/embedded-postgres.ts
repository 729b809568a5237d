import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { lockDataDir } from './data-dir-lock.ts';
import { type Account, findPostgresBinaries } from './postgres-binaries.ts';
import { createCluster } from './postgres-cluster.ts';
import { startPostmaster } from './postmaster.ts';

export type EmbeddedPostgres = {
  /** `host` for `pg`; the user is `postgres`, there is no password. */
  socketDir: string;
  database: string;
  pid: number;
  /** Ends every connection and the server. Safe to call twice. */
  stop(): Promise<void>;
};

export type EmbeddedPostgresOptions = {
  dataDir: string;
  log: (message: string, fields?: object) => void;
  /** false only for tests: a power cut loses data. */
  durable?: boolean;
  /** Of Postgres; only for the bench, which stands for a server with more memory and more to connect to it. */
  settings?: Record<string, string>;
};

const DATABASE = 'latchkey';
// sockaddr_un holds 107 bytes; `/.s.PGSQL.5432` and the terminating zero come on top of the folder.
const LONGEST_SOCKET_DIR = 90;

/**
 * Starts the Postgres of this data directory, creating it at first, reachable only through a unix socket that
 * only this account may open. Throws when another process holds the directory, naming it. Postgres ends with
 * this process, even when that is killed.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(resolve(options.dataDir));
  const socketDir = chooseSocketDir(dataDir);
  const lock = await lockDataDir(dataDir, join(socketDir, '.s.PGSQL.5432'));
  try {
    const account = databaseAccount(join(dataDir, 'postgres'));
    makePrivateFolder(socketDir, account);
    const durable = options.durable ?? true;
    const bin = findPostgresBinaries(account);
    const cluster = createCluster({ bin, dataDir, account, durable, log: options.log });
    const postmaster = await startPostmaster({ ...options, bin, cluster, socketDir, account, durable });
    try {
      await ensureDatabase(socketDir);
    } catch (error) {
      await postmaster.stop();
      throw error;
    }
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= postmaster.stop().finally(() => lock.release()));
    return { socketDir, database: DATABASE, pid: postmaster.pid, stop };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The socket of a Postgres that runs on this directory already; undefined where none answers. */
export async function runningPostgres(
  dataDir: string,
): Promise<Pick<EmbeddedPostgres, 'socketDir' | 'database'> | undefined> {
  if (!existsSync(dataDir)) return undefined;
  const socketDir = chooseSocketDir(realpathSync(resolve(dataDir)));
  const answers = await exists(socketDir).catch(() => false);
  return answers ? { socketDir, database: DATABASE } : undefined;
}

// Postgres refuses to run as root. An existing database keeps its owner, so that it opens again whichever
// accounts the machine has by now.
function databaseAccount(cluster: string): Account {
  if (process.getuid?.() !== 0) return undefined;
  if (existsSync(cluster)) {
    const { uid, gid } = statSync(cluster);
    if (uid !== 0) return { uid, gid };
  }
  const passwd = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = passwd.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'The embedded Postgres cannot run as root and found neither a user "postgres" nor "nobody".',
  );
}

function chooseSocketDir(dataDir: string): string {
  const own = join(dataDir, 'run');
  if (Buffer.byteLength(own) <= LONGEST_SOCKET_DIR) return own;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const short = join(tmpdir(), `latchkey-${hash}`);
  return Buffer.byteLength(short) <= LONGEST_SOCKET_DIR ? short : `/tmp/latchkey-${hash}`;
}

// The name below /tmp can be foretold: a folder or link that somebody else put there first is refused, or
// they would be the ones who answer our queries.
function makePrivateFolder(path: string, account: Account): void {
  const owner = account?.uid ?? process.getuid?.() ?? 0;
  if (!existsSync(path)) {
    mkdirSync(path, { mode: 0o700 });
    if (account) chownSync(path, account.uid, account.gid);
  }
  const found = lstatSync(path);
  if (!found.isDirectory() || (found.uid !== owner && found.uid !== process.getuid?.())) {
    throw new Error(
      `${path} must be a folder of the account that runs the database; it belongs to uid ${found.uid}.`,
    );
  }
  chmodSync(path, 0o700);
  if (account) chownSync(path, account.uid, account.gid);
}

async function ensureDatabase(socketDir: string): Promise<void> {
  if (await exists(socketDir)) return;
  const client = new pg.Client({ host: socketDir, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

async function exists(socketDir: string): Promise<boolean> {
  const client = new pg.Client({ host: socketDir, user: 'postgres', database: DATABASE });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === '3D000') return false; // invalid_catalog_name
    throw error;
  }
}
