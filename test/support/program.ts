import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess } from '../../src/storage/process-identity.ts';
import { endWithThisProcess } from '../../src/storage/watchdog.ts';

/** A server of somebody else's that a test may stop and start. `end()` removes its data as well. */
export type Program = {
  pid(): number;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  end(): Promise<void>;
};

export type ProgramOptions = {
  command: string;
  args: readonly string[];
  /** A folder of its own. */
  dir: string;
  account?: { uid: number; gid: number };
  /** Whether it answers; asked again and again until it does. */
  answers(): Promise<boolean>;
};

export const own: { end(): Promise<void> }[] = [];

/** Ends every server that was started here, also those that a failed test forgot. */
export async function endPrograms(): Promise<void> {
  await Promise.all(own.splice(0).map((server) => server.end()));
}

export const folder = (name: string): string => mkdtempSync(join(tmpdir(), `latchkey-${name}-`));

export async function startProgram(options: ProgramOptions): Promise<Program> {
  let child: ChildProcess | undefined;
  let callOff = (): void => {};
  const start = async (): Promise<void> => {
    if (child) return;
    child = spawn(options.command, options.args, { stdio: 'ignore', detached: true, ...options.account });
    child.unref();
    const known = identifyProcess(child.pid ?? 0);
    if (known) callOff = endWithThisProcess(known);
    await answering(options, child);
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    child?.ref(); // nothing else may keep this process alive until it has ended
    const ended = child && new Promise((resolve) => child?.once('exit', resolve));
    if (child?.exitCode === null && child.signalCode === null && child.kill(signal)) await ended;
    child = undefined;
    callOff();
  };
  const end = (): Promise<void> =>
    stop('SIGKILL').then(() => rmSync(options.dir, { recursive: true, force: true }));
  const program = { pid: () => child?.pid ?? 0, start, stop, end };
  own.push(program);
  await start();
  return program;
}

async function answering({ command, answers }: ProgramOptions, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(20)) {
    if (child.exitCode !== null) break;
    if (await answers().catch(() => false)) return;
  }
  throw new Error(`${command} did not start`);
}

/** Asks again until it is so: nothing here depends on how fast anything is. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(50)) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
  }
  throw new Error(`waited in vain: ${what}`);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
