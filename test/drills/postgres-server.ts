import { spawn, spawnSync } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { findPostgresBinaries } from '../../src/storage/postgres-binaries.ts';
import { freePort } from '../support/app.ts';
import { patiently } from './patience.ts';
import { serverProcess } from './server-process.ts';

export type PostgresServer = {
  readonly port: number;
  readonly dataDir: string;
  start(): Promise<void>;
  /** Like a crash: SIGQUIT ends every backend where it stands, nothing is flushed. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** As the owner, whom row-level security does not bind. */
  sql<Row = Record<string, any>>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A second server that follows this one. */
  follow(dir: string, settings?: Record<string, string>): Promise<PostgresServer>;
};

/** Postgres refuses to run as root. */
const account = ((): { uid: number; gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = passwd.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Postgres needs an account: there is neither a user "postgres" nor "nobody"');
})();

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: '60',
  // A process that dies loses nothing that it gave to the kernel; a power cut is not drilled.
  fsync: 'off',
  wal_keep_size: '256MB',
  timezone: 'UTC',
  log_min_messages: 'fatal',
};

export const ownedFolder = (path: string): string => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (account) chownSync(path, account.uid, account.gid);
  return path;
};

/** An empty cluster below `dir`; its log of changes (WAL) may be kept elsewhere. */
export async function makePostgres(
  dir: string,
  { walDir, settings = {} }: { walDir?: string; settings?: Record<string, string> } = {},
): Promise<PostgresServer> {
  const dataDir = ownedFolder(dir);
  const args = [
    '-D',
    dataDir,
    '-U',
    'postgres',
    '--auth=trust',
    '-E',
    'UTF8',
    '--no-sync',
    '--no-instructions',
  ];
  args.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  if (walDir) args.push(`--waldir=${ownedFolder(walDir)}`);
  const made = spawnSync(join(binaries(), 'initdb'), args, { ...account, cwd: '/', encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`no cluster: ${made.stderr}`);
  return serverOn(dataDir, await freePort(), settings);
}

let found: string | undefined;
const binaries = (): string => (found ??= findPostgresBinaries(account));

function serverOn(dataDir: string, port: number, settings: Record<string, string>): PostgresServer {
  const sql = async <Row>(text: string, values: unknown[] = [], database = 'latchkey'): Promise<Row[]> => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Row[];
    } finally {
      await client.end();
    }
  };
  const { start, end } = serverProcess(() => {
    const all = Object.entries({ ...SETTINGS, port: String(port), ...settings });
    return spawn(
      join(binaries(), 'postgres'),
      ['-D', dataDir, ...all.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...account, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
    );
  });
  return {
    port,
    dataDir,
    start: () =>
      start((starting) => {
        let said = '';
        starting.stderr!.on('data', (piece: Buffer) => {
          said = (said + piece.toString()).slice(-2000);
        });
        return patiently('Postgres answers', async () => {
          if (starting.exitCode !== null) throw new Error(`Postgres did not start: ${said}`);
          return (await sql('select 1', [], 'postgres').catch(() => [])).length === 1;
        });
      }),
    kill: () => end('SIGQUIT'),
    stop: () => end('SIGINT'),
    sql: (text, values) => sql(text, values),
    follow: (dir, more = {}) => followerOf({ port, dataDir }, dir, { ...settings, ...more }),
  };
}

/** A copy of the files while it runs, between pg_backup_start and pg_backup_stop, then what came since from the primary. */
async function followerOf(
  primary: { port: number; dataDir: string },
  dir: string,
  settings: Record<string, string>,
): Promise<PostgresServer> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: primary.port,
    user: 'postgres',
    database: 'postgres',
  });
  await client.connect();
  try {
    await client.query("select pg_backup_start('drill', true)");
    cpSync(primary.dataDir, dir, {
      recursive: true,
      filter: (path) => !/(postmaster\.(pid|opts)|pg_wal\/[^/]+)$/.test(path),
    });
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    writeFileSync(join(dir, 'backup_label'), rows[0]!.labelfile);
    writeFileSync(join(dir, 'standby.signal'), '');
  } finally {
    await client.end();
  }
  mkdirSync(join(dir, 'pg_wal', 'archive_status'), { recursive: true });
  if (account) spawnSync('chown', ['-R', `${account.uid}:${account.gid}`, dir]);
  spawnSync('chmod', ['700', dir]);
  const source = `host=127.0.0.1 port=${primary.port} user=postgres application_name=standby`;
  return serverOn(dir, await freePort(), { ...settings, primary_conninfo: source });
}

export const removeFolder = (dir: string): void => rmSync(dir, { recursive: true, force: true });
