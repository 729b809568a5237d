import { createHash } from 'node:crypto';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisConfig } from '../config/config.ts';
import { unavailable } from '../kernel/problem.ts';
import { holdBack, type Socket } from './held-back.ts';

export type RedisConnection = {
  /** Runs commands; a Redis that is away becomes a Problem `store.unavailable` instead of a wait. */
  run<T>(work: (redis: Redis | Cluster) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
  /**
   * Names the history of writes that what is read now belongs to. Another once a replica has taken over, which may lack the last
   * writes, and once a server has begun again from a file.
   */
  history(): Promise<string>;
  /** Called when another server may answer from now on. */
  onChange(listener: () => void): void;
  close(): Promise<void>;
};

/** Called before and after each call; a throw makes it fail, or loses its answer. For fault tests. */
export type ObserveRedis = (moment: 'asked' | 'answered') => void;

/**
 * One connection with a deadline on every command and no offline queue: while Redis is away each call fails
 * at once, and the connection comes back by itself.
 */
export async function connectRedis(
  config: RedisConfig,
  log: (message: string, fields: object) => void,
  observe?: ObserveRedis,
): Promise<RedisConnection> {
  const redis = clientFor(config);
  redis.on('error', (error) => log('redis connection lost', { err: error }));
  await redis.connect().catch((error: unknown) => {
    redis.disconnect();
    throw error;
  });
  let isClosed = false;
  // The library gives up for good when it hears of a new master in the moment in which it looks for it by itself.
  redis.on('end', () => {
    setTimeout(() => void (isClosed || redis.connect().catch(() => {})), AGAIN_MS).unref();
  });
  return {
    async run(work) {
      try {
        observe?.('asked');
        // What is asked in the same moment goes together. In a Cluster the library sees to that, for each of its servers.
        const { stream } = redis as unknown as { stream?: Socket | null };
        if (stream) holdBack(stream, process.nextTick);
        const answer = await work(redis);
        observe?.('answered');
        return answer;
      } catch (error) {
        throw unavailable('Redis', error);
      }
    },
    async ping() {
      await redis.ping();
    },
    history: () => historyOf(redis),
    onChange(listener) {
      for (const event of redis instanceof Cluster ? ['+node', '-node', 'close'] : ['close', 'ready'])
        redis.on(event, listener);
    },
    async close() {
      isClosed = true;
      redis.disconnect();
    },
  };
}

/** Every server in charge has a replication id, which it gives up whenever it does not go on where it was. */
async function historyOf(redis: Redis | Cluster): Promise<string> {
  const inCharge = redis instanceof Cluster ? redis.nodes('master') : [redis];
  if (inCharge.length === 0) throw new Error('no Redis is in charge');
  const ids = await Promise.all(inCharge.map(replicationIdOf));
  return createHash('sha256').update(ids.sort().join()).digest('base64url').slice(0, 8);
}

async function replicationIdOf(server: Redis): Promise<string> {
  const [, id] = /^master_replid:(\w+)/m.exec(await server.info('replication')) ?? [];
  if (id === undefined) throw new Error('Redis tells no replication id');
  return id;
}

const retryStrategy = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 5), 1000);

const AGAIN_MS = 500;

const commonOptions = {
  connectTimeout: 3000,
  commandTimeout: 2000,
  // A connection that swallows everything and never ends (a firewall that forgot it) is given up, not asked for ever.
  socketTimeout: 3000,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
} satisfies RedisOptions;

const ours = {
  ...commonOptions,
  lazyConnect: true,
  // Each batch is an object of its own with promises of its own, which costs more than it saves (docs/performance.md).
  enableAutoPipelining: false,
  retryStrategy,
  // This server is in charge no longer; whoever is answers at the same name, or the Sentinels know where.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions;

function clientFor(config: RedisConfig): Redis | Cluster {
  if (config.kind === 'single') return new Redis(config.url.reveal(), ours);
  if (config.kind === 'sentinel')
    return new Redis({ ...ours, ...loginTo(config), ...throughSentinels(config) });
  return new Cluster([...config.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    clusterRetryStrategy: retryStrategy,
    // Certificates are for names: those given are not looked up beforehand.
    ...(config.tls ? { dnsLookup: (name, found) => found(null, name) } : {}),
    redisOptions: { ...commonOptions, ...loginTo(config) },
  });
}

const loginTo = ({ username, password, tls }: RedisConfig & { kind: 'sentinel' | 'cluster' }) => ({
  ...(username ? { username } : {}),
  ...(password ? { password: password.reveal() } : {}),
  ...(tls ? { tls: {} } : {}),
});

const throughSentinels = ({ name, database, nodes, tls }: RedisConfig & { kind: 'sentinel' }) => ({
  name,
  db: database,
  sentinels: [...nodes],
  sentinelRetryStrategy: retryStrategy,
  sentinelCommandTimeout: 2000,
  // A master that was replaced may answer for a while: the Sentinels are listened to, and it is left at once.
  failoverDetector: true,
  // Without the first the library speaks to the master in the clear, whatever `tls` says.
  ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
});
