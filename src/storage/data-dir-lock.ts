import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { identifyProcess, isRunning } from './process-identity.ts';

export type DataDirLock = { release(): void };

type Holder = { pid: number; startedAt: string; since: string; boot: string; namespace: string };
type Where = { dataDir: string; socketPath: string };

/**
 * Makes this process the only Latchkey on the directory. Throws an Error naming the pid that holds it and
 * since when. A lock whose holder is dead is taken over; of several that try at once, one wins.
 * `socketPath` answers for a holder whose pid means nothing here (another container on the same volume).
 */
export async function lockDataDir(dataDir: string, socketPath: string): Promise<DataDirLock> {
  return acquire(join(dataDir, 'latchkey.lock'), dataDir, socketPath);
}

async function acquire(path: string, dataDir: string, socketPath: string): Promise<DataDirLock> {
  const mine: Holder = {
    pid: process.pid,
    startedAt: identifyProcess(process.pid)?.startedAt ?? '',
    since: new Date().toISOString(),
    ...surroundings(),
  };
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    // link(), not open(O_EXCL): the lock appears with its content, never empty for a moment.
    while (!linked(draft, path)) {
      if (await tookOver(path, draft, { dataDir, socketPath })) break;
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return { release: () => release(path, mine) };
}

// Between reading a stale lock and replacing it another process may have replaced it already, so takers
// queue at a lock of their own and look again once they have it. A lock that is gone by then is not
// replaced but made afresh: a newcomer's link() waits for no turn.
async function tookOver(path: string, draft: string, where: Where): Promise<boolean> {
  if ((await stateOf(path, where)) === 'absent') return false;
  const turn = await acquire(`${path}.heir`, where.dataDir, where.socketPath);
  try {
    if ((await stateOf(path, where)) === 'absent') return false;
    renameSync(draft, path);
    return true;
  } finally {
    turn.release();
  }
}

async function stateOf(path: string, where: Where): Promise<'absent' | 'stale'> {
  const holder = read(path);
  if (holder === 'absent') return 'absent';
  // A torn one was left by a crash of the machine: no live process ever shows it so.
  if (holder === 'torn' || !(await isHeld(holder, where.socketPath))) return 'stale';
  throw new Error(
    `${where.dataDir} is in use by another Latchkey: process ${holder.pid}, running since ${holder.since}. ` +
      'One data directory serves one process; stop that one, or set DATA_DIR to another directory.',
  );
}

async function isHeld(holder: Holder, socketPath: string): Promise<boolean> {
  const here = surroundings();
  if (holder.boot !== here.boot) return false;
  if (holder.namespace === here.namespace) return isRunning(holder);
  return answers(socketPath);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function surroundings(): { boot: string; namespace: string } {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { boot, namespace: readlinkSync('/proc/self/ns/pid') };
  } catch {
    return { boot: '', namespace: '' };
  }
}

function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): Holder | 'absent' | 'torn' {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'absent' : 'torn';
  }
}

function release(path: string, mine: Holder): void {
  const holder = read(path);
  if (typeof holder === 'string') return;
  if (holder.pid === mine.pid && holder.startedAt === mine.startedAt) rmSync(path, { force: true });
}
