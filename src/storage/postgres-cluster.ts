import { spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Account } from './postgres-binaries.ts';

type ClusterOptions = {
  bin: string;
  dataDir: string;
  account: Account;
  durable: boolean;
  log: (message: string, fields?: object) => void;
};

const DRAFT = 'postgres.draft-';

/** `<dataDir>/postgres`, made by initdb if it is not there yet. The caller holds the lock of the directory. */
export function createCluster(options: ClusterOptions): string {
  const { dataDir, account, durable } = options;
  const cluster = join(dataDir, 'postgres');
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith(DRAFT)) rmSync(join(dataDir, name), { recursive: true, force: true });
  }
  if (existsSync(join(cluster, 'PG_VERSION'))) return cluster;

  options.log('creating the embedded database', { dataDir });
  // Under another name until it is complete: an initdb that was interrupted leaves nothing that looks finished.
  const draft = join(dataDir, `${DRAFT}${process.pid}`);
  mkdirSync(draft, { mode: 0o700 });
  if (account) chownSync(draft, account.uid, account.gid);
  initialize(draft, options);
  renameSync(draft, cluster);
  if (durable) syncFolder(dataDir);
  return cluster;
}

function initialize(folder: string, { bin, account, durable }: ClusterOptions): void {
  const handle = openSync(folder, 'r');
  const args = [
    '-D',
    pathOfHandle(3),
    '-U',
    'postgres',
    '--auth-local=trust',
    '--auth-host=reject',
    '-E',
    'UTF8',
  ];
  args.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions');
  if (!durable) args.push('--no-sync');
  try {
    const { status, stderr, error } = spawnSync(join(bin, 'initdb'), args, {
      ...account,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe', handle],
      encoding: 'utf8',
    });
    if (status === 0) return;
    const hint = /could not look up effective user ID/.test(stderr)
      ? 'The account that runs Latchkey has no entry in /etc/passwd, which Postgres needs; set DATABASE_URL instead. '
      : '';
    throw new Error(`The embedded database could not be created. ${hint}${stderr.trim()}`, { cause: error });
  } finally {
    closeSync(handle);
  }
}

/**
 * A folder handed to a child as an open descriptor. Root's child that runs as another account may thus use a
 * data directory whose parents it may not enter (a checkout below /root, a folder of mode 0700) while the
 * other files in that directory stay out of its reach.
 */
export function pathOfHandle(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

// A rename is durable only when the folder that holds both names is.
function syncFolder(path: string): void {
  const handle = openSync(path, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
