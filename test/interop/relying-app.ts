import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import type { Program } from './toolchains.ts';

/** The app of a client library as a process of its own, and what it wrote. */
export type RelyingApp = { origin: string; output(): string; stop(): Promise<void> };

const START_LIMIT_MS = 30_000;

export async function startApp(
  program: Program,
  port: number,
  registration: { issuer: string; clientId: string; clientSecret: string | undefined },
): Promise<RelyingApp> {
  let output = '';
  const child = spawn(program.command, program.args, {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      ISSUER: registration.issuer,
      CLIENT_ID: registration.clientId,
      CLIENT_SECRET: registration.clientSecret ?? '',
      PORT: String(port),
      SESSION_SECRET: 'only for this test: 32 characters and more',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8000);
    });
  const origin = `http://localhost:${port}`;
  try {
    await listening(origin, child);
  } catch (error) {
    await stop(child);
    throw new Error(`${String(error)}\n${output}`, { cause: error });
  }
  return { origin, output: () => output, stop: () => stop(child) };
}

async function listening(origin: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error('the app ended before it listened');
    if (await fetch(origin, { redirect: 'manual' }).catch(() => undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the app does not listen');
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
