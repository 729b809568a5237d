import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisConfig } from '../config/config.ts';
import { unavailable } from '../kernel/problem.ts';

export type RedisConnection = {
  /** Runs commands; a Redis that is away becomes a Problem `store.unavailable` instead of a wait. */
  run<T>(work: (redis: Redis | Cluster) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
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
  await redis.connect();
  return {
    async run(work) {
      try {
        observe?.('asked');
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
    async close() {
      redis.disconnect();
    },
  };
}

const retryStrategy = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 5), 1000);

const commonOptions = {
  connectTimeout: 3000,
  commandTimeout: 2000,
  // A connection that swallows everything and never ends (a firewall that forgot it) is given up, not asked for ever.
  socketTimeout: 3000,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
} satisfies RedisOptions;

function clientFor(config: RedisConfig): Redis | Cluster {
  if (config.kind === 'single') {
    return new Redis(config.url.reveal(), {
      ...commonOptions,
      lazyConnect: true,
      enableAutoPipelining: true,
      retryStrategy,
    });
  }
  const login = {
    ...(config.username ? { username: config.username } : {}),
    ...(config.password ? { password: config.password.reveal() } : {}),
    ...(config.tls ? { tls: {} } : {}),
  };
  if (config.kind === 'sentinel') {
    const { name, database: db, nodes: sentinels } = config;
    return new Redis({
      ...commonOptions,
      ...login,
      name,
      db,
      sentinels: [...sentinels],
      lazyConnect: true,
      enableAutoPipelining: true,
      retryStrategy,
    });
  }
  return new Cluster([...config.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    clusterRetryStrategy: retryStrategy,
    redisOptions: { ...commonOptions, ...login },
  });
}
