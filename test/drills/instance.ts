import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/app.ts';
import { patiently } from './patience.ts';

export type Instance = {
  readonly port: number;
  /** The last lines that it wrote. */
  readonly said: string;
  start(more?: { env?: Record<string, string>; execArgv?: string[] }): Promise<void>;
  /** SIGTERM; resolves with the exit code when it has ended. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  isReady(): Promise<boolean>;
  isAlive(): Promise<boolean>;
};

/** The program of a tree, run as operators run it. */
export async function makeInstance(
  tree: string,
  dir: string,
  env: Record<string, string>,
): Promise<Instance> {
  const port = await freePort();
  mkdirSync(dir, { recursive: true });
  let child: ChildProcess | undefined;
  let said = '';
  const get = async (path: string): Promise<boolean> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5000) });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return ending?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    return ended;
  };
  return {
    port,
    get said() {
      return said;
    },
    async start(more = {}) {
      const args = [...(more.execArgv ?? []), join(tree, 'bin', 'latchkey.mjs'), 'start'];
      const starting = spawn(process.execPath, args, {
        cwd: dir,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH']!,
          // Ends with whoever runs the drills, however that ended (tools/child.mjs).
          FOLLOW_PARENT_PID: String(process.pid),
          ...env,
          PORT: String(port),
          DATA_DIR: dir,
          ...more.env,
        },
      });
      child = starting;
      for (const stream of [starting.stdout, starting.stderr])
        stream.on('data', (piece: Buffer) => {
          said = (said + piece.toString()).slice(-20_000);
        });
      await patiently('an instance is ready', async () => {
        if (starting.exitCode !== null) throw new Error(`an instance did not start:\n${said}`);
        return get('/readyz');
      });
    },
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
    },
    isReady: () => get('/readyz'),
    isAlive: () => get('/healthz'),
  };
}
