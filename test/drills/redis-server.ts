import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../support/app.ts';
import { patiently } from './patience.ts';
import { serverProcess } from './server-process.ts';

export type RedisServer = {
  readonly port: number;
  start(): Promise<void>;
  /** Like `shutdown nosave`: nothing of what it held is left. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  ask(...words: string[]): Promise<string>;
};

const program = (): string => process.env['REDIS_SERVER_PATH'] ?? '/usr/bin/redis-server';

/** A Redis that keeps nothing on disk, or follows another. */
export async function makeRedis(dir: string, replicaOf?: number): Promise<RedisServer> {
  const port = await freePort();
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    dir,
  ];
  if (replicaOf !== undefined) settings.push('--replicaof', '127.0.0.1', String(replicaOf));
  mkdirSync(dir, { recursive: true });
  return server(port, settings);
}

/** One that watches a master and names another when two agree that it is gone. */
export async function makeSentinel(dir: string, master: number): Promise<RedisServer> {
  const port = await freePort();
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'sentinel.conf');
  // It writes what it learns into this file.
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor drill 127.0.0.1 ${master} 2`,
    'sentinel down-after-milliseconds drill 1000',
    'sentinel failover-timeout drill 5000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return server(port, [file, '--sentinel']);
}

function server(port: number, settings: string[]): RedisServer {
  const { start, end } = serverProcess(() => spawn(program(), settings, { stdio: 'ignore', detached: true }));
  return {
    port,
    start: () =>
      start(() =>
        patiently('Redis answers', async () => (await ask(port, ['PING']).catch(() => '')).includes('PONG')),
      ),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    ask: (...words) => ask(port, words),
  };
}

function ask(port: number, words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const command = `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write(command));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
