import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 10;
const started = new Set<ChildProcess>();

export type Running = { pid: number; child: ChildProcess; readyMs: number };

/** A server in a process of its own; resolves when `readyUrl` answers 200. */
export async function startProcess(
  args: string[],
  at: { env: Record<string, string>; readyUrl: string; cwd?: string },
): Promise<Running> {
  const begun = performance.now();
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH']!, NODE_NO_WARNINGS: '1', ...at.env },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(at.cwd === undefined ? {} : { cwd: at.cwd }),
  });
  started.add(child);
  child.once('exit', () => started.delete(child));
  let said = '';
  child.stderr!.on('data', (data: Buffer) => {
    said = (said + data.toString()).slice(-4000);
  });
  for (const deadline = begun + 60_000; performance.now() < deadline; await sleep(10)) {
    if (child.exitCode !== null) break;
    const answer = await fetch(at.readyUrl).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return { pid: child.pid!, child, readyMs: performance.now() - begun };
  }
  child.kill('SIGKILL');
  throw new Error(`${args.join(' ')} did not become ready:\n${said}`);
}

/** Ends what was started here, by its id; SIGKILL after ten seconds. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(limit);
}

export async function stopAllProcesses(): Promise<void> {
  await Promise.all([...started].map(stopProcess));
}

/** CPU milliseconds that these processes and all that descend from them have used, as the kernel counts it. */
export function cpuMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const { pid, used } of processes()) if (isBelow(pid, pids)) ticks += used;
  return ticks * TICK_MS;
}

/** Resident memory of one process now and at its highest, in MB. Its children are not in it. */
export function memoryMb(pid: number): { now: number; peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

let parents = new Map<number, number>();

function processes(): { pid: number; used: number }[] {
  parents = new Map();
  const all: { pid: number; used: number }[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let text: string;
    try {
      text = readFileSync(`/proc/${name}/stat`, 'utf8');
    } catch {
      continue; // ended meanwhile
    }
    // The name of the program is in brackets and may hold anything; what follows are numbers.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const pid = Number(name);
    parents.set(pid, Number(fields[1]));
    // utime, stime, and the same of children that have ended.
    all.push({ pid, used: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) });
  }
  return all;
}

function isBelow(pid: number, roots: readonly number[]): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
    if (roots.includes(at)) return true;
  return false;
}
