import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that cannot be mistaken for a later one with the same pid. */
export type ProcessIdentity = { pid: number; startedAt: string };

/** `startedAt` is in clock ticks since boot, `''` where there is no /proc. Undefined when there is no such process. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const fields = statFields(pid);
  // A zombie answers to kill(pid, 0) until its parent has collected it, yet holds nothing any more.
  if (fields[0] === 'Z') return undefined;
  return { pid, startedAt: fields[19] ?? '' };
}

export function isRunning(known: ProcessIdentity): boolean {
  const now = identifyProcess(known.pid);
  return now !== undefined && now.startedAt === known.startedAt;
}

/** Resolves to whether the process ended within that time. */
export async function waitForEnd(known: ProcessIdentity, milliseconds: number): Promise<boolean> {
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline; ) {
    if (!isRunning(known)) return true;
    await sleep(10);
  }
  return !isRunning(known);
}

/** Sends nothing when the process is gone or the pid is another's by now. */
export function signal(known: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(known)) return;
  try {
    process.kill(known.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// The name in parentheses may itself contain spaces and parentheses; the state is the first field after it.
function statFields(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return [];
  }
}
