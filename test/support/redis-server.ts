import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { folder, freePort, type Program, startProgram } from './program.ts';

export type RedisServer = Program & { port: number; url: string; dir: string };

/** A Redis on a loopback port that stays the same over stop and start. It keeps nothing on disk. */
export async function startRedisServer(settings: Record<string, string> = {}): Promise<RedisServer> {
  const dir = folder('redis');
  const port = await freePort();
  const all = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir, ...settings };
  const program = await startProgram({
    command: redisProgram(),
    args: Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]),
    dir,
    answers: async () => (await askRedis(port, 'PING')).startsWith('+PONG'),
  });
  return { ...program, port, dir, url: `redis://127.0.0.1:${port}` };
}

export function redisProgram(): string {
  const command = process.env['REDIS_SERVER_PATH'] ?? '/usr/bin/redis-server';
  if (existsSync(command)) return command;
  throw new Error(
    `no Redis at ${command}: run \`node tools/ensure-test-tools.mjs\` or set REDIS_SERVER_PATH`,
  );
}

/** Empties the Redis named. */
export async function flushRedis(url: string): Promise<void> {
  const reply = await askRedis(Number(new URL(url).port), 'FLUSHALL');
  if (!reply.startsWith('+OK')) throw new Error(`FLUSHALL was answered ${reply}`);
}

/** What comes first of the answer. */
export function askRedis(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write(`${command}\r\n`));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed without an answer')));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
