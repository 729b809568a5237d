import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './postgres-binaries.ts';
import { pathOfHandle } from './postgres-cluster.ts';
import { identifyProcess, type ProcessIdentity, signal, waitForEnd } from './process-identity.ts';
import { endWithThisProcess } from './watchdog.ts';

type PostmasterOptions = {
  bin: string;
  /** The folder with the data. */
  cluster: string;
  socketDir: string;
  account: Account;
  durable: boolean;
  settings?: Record<string, string> | undefined;
  log: (message: string, fields?: object) => void;
};

export type Postmaster = { pid: number; stop(): Promise<void> };

const START_LIMIT = 60_000; // recovery after a crash replays the log first
const SETTINGS = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  shared_buffers: '32MB',
  max_connections: '40',
  timezone: 'UTC',
  // Statements and rows carry personal data; an error of a statement is the caller's to report.
  log_min_messages: 'fatal',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_line_prefix: '',
};
const UNSAFE_AND_FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Resolves when the server answers. The caller holds the lock of the data directory. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  await endOrphan(options);
  const child = spawnPostgres(options);
  const output = collectOutput(child, options.log);
  const self = await identify(child);
  const callOffWatchdog = endWithThisProcess(self);
  let stopping = false;
  child.once('exit', (code, by) => {
    if (!stopping)
      options.log('the embedded database ended by itself', { code, signal: by, output: output.slice(-5) });
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    // "Smart" first: a pool that was ended a moment ago is still saying goodbye, and would log lost connections.
    signal(self, 'SIGTERM');
    await waitForEnd(self, 500);
    await end(self);
    callOffWatchdog();
  };
  try {
    await ready(options.cluster, self);
  } catch {
    await stop();
    throw new Error(`The embedded database did not start. ${output.join(' ')}`);
  }
  return { pid: self.pid, stop };
}

// Not adopted: its settings are those of another start, its log goes to a pipe that nobody reads, and the
// watchdog of the dead process may end it at any moment.
async function endOrphan({ cluster, log }: PostmasterOptions): Promise<void> {
  const pid = Number(postmasterFile(cluster)[0]);
  if (!(pid > 1)) return;
  const orphan = identifyProcess(pid);
  if (orphan === undefined || !worksIn(pid, cluster)) return;
  log('ending the database that a killed process left behind', { pid });
  await end(orphan);
}

// postmaster.pid survives a crash, and its pid may be anybody's by now.
function worksIn(pid: number, cluster: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === cluster;
  } catch {
    return false;
  }
}

async function end(server: ProcessIdentity): Promise<void> {
  // "Fast": open transactions are rolled back, connections ended, everything written.
  signal(server, 'SIGINT');
  if (await waitForEnd(server, 20_000)) return;
  signal(server, 'SIGQUIT');
  if (await waitForEnd(server, 5_000)) return;
  signal(server, 'SIGKILL');
  await waitForEnd(server, 5_000);
}

function spawnPostgres(options: PostmasterOptions): ChildProcess {
  const { bin, cluster, socketDir, account, durable } = options;
  const handles = [openSync(cluster, 'r'), openSync(socketDir, 'r')];
  const settings = {
    ...SETTINGS,
    unix_socket_directories: pathOfHandle(4),
    ...(durable ? {} : UNSAFE_AND_FAST),
    ...options.settings,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  try {
    return spawn(join(bin, 'postgres'), ['-D', pathOfHandle(3), ...args], {
      ...account,
      cwd: '/',
      // Ctrl-C goes to the whole foreground group; the database must outlast the requests being drained.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', ...handles],
    });
  } finally {
    handles.forEach((handle) => closeSync(handle));
  }
}

function collectOutput(child: ChildProcess, log: PostmasterOptions['log']): string[] {
  const lines: string[] = [];
  child.unref();
  const stream = child.stderr as unknown as Socket;
  stream.unref();
  createInterface({ input: stream }).on('line', (line) => {
    lines.push(line);
    if (lines.length > 20) lines.shift();
    if (/^(PANIC|WARNING):/.test(line)) log('embedded database', { line });
  });
  return lines;
}

function identify(child: ChildProcess): Promise<ProcessIdentity> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      const found = identifyProcess(child.pid as number);
      if (found) resolve(found);
      else resolve({ pid: child.pid as number, startedAt: 'ended' });
    });
  });
}

// The eighth line of postmaster.pid is what pg_ctl reads, too.
async function ready(cluster: string, server: ProcessIdentity): Promise<void> {
  for (const deadline = Date.now() + START_LIMIT; Date.now() < deadline; await sleep(10)) {
    const lines = postmasterFile(cluster);
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return;
    if (await waitForEnd(server, 0)) throw new Error('ended');
  }
  throw new Error('took too long');
}

function postmasterFile(cluster: string): string[] {
  try {
    return readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}
