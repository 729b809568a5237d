import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, freePort, startProgram, until } from './program.ts';
import { askRedis, redisProgram, type RedisServer, startRedisServer } from './redis-server.ts';

export type RedisWithSentinels = {
  url: string;
  servers: RedisServer[];
  /** The server that the Sentinels name, as each of them says. */
  master(): Promise<RedisServer>;
};

const NAME = 'latchkey';

/** One master, two replicas, three Sentinels of which two decide. A master is given up after a second. */
export async function startRedisWithSentinels(): Promise<RedisWithSentinels> {
  const settings = { 'repl-diskless-sync-delay': '0', databases: '1000' };
  const first = await startRedisServer(settings);
  const replicas = await Promise.all(
    [1, 2].map(() => startRedisServer({ ...settings, replicaof: `127.0.0.1 ${first.port}` })),
  );
  const servers = [first, ...replicas];
  for (const { port } of replicas)
    await until('a replica is in step', async () =>
      (await askRedis(port, 'INFO replication')).includes('master_link_status:up'),
    );
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(first.port)));
  for (const port of sentinels)
    await until('the Sentinels know each other and the replicas', async () =>
      /num-slaves\r\n\$1\r\n2[\s\S]*num-other-sentinels\r\n\$1\r\n2/.test(
        await askRedis(port, `SENTINEL MASTER ${NAME}`),
      ),
    );
  const namedBy = async (sentinel: number): Promise<number> =>
    Number(/\r\n(\d+)\r\n$/.exec(await askRedis(sentinel, `SENTINEL GET-MASTER-ADDR-BY-NAME ${NAME}`))?.[1]);
  return {
    servers,
    url: `redis+sentinel://${sentinels.map((port) => `127.0.0.1:${port}`).join()}/${NAME}`,
    master: () =>
      until('the Sentinels agree', async () => {
        const [port, ...others] = await Promise.all(sentinels.map(namedBy));
        return others.every((other) => other === port) && servers.find((server) => server.port === port);
      }),
  };
}

async function startSentinel(master: number): Promise<number> {
  const dir = folder('sentinel');
  const port = await freePort();
  const file = join(dir, 'sentinel.conf');
  writeFileSync(
    file,
    `port ${port}
bind 127.0.0.1
dir ${dir}
sentinel monitor ${NAME} 127.0.0.1 ${master} 2
sentinel down-after-milliseconds ${NAME} 1000
sentinel failover-timeout ${NAME} 3000
`,
  );
  await startProgram({
    command: redisProgram(),
    args: [file, '--sentinel'],
    dir,
    answers: async () => (await askRedis(port, 'PING')).startsWith('+PONG'),
  });
  return port;
}
