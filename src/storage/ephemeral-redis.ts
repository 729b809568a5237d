import { Cluster } from 'ioredis';
import type { EphemeralStore } from './ephemeral.ts';
import type { RedisConnection } from './redis.ts';

/** Redis keys carry the app, so a key of one app is never the key of another. No command touches two keys. */
export const redisKey = (appId: string, key: string): string => `lk:${appId}:${key}`;

/** Whether anything of ours is in it. Walks all its keys where there is nothing. */
export function holdsKeys(redis: RedisConnection): Promise<boolean> {
  return redis.run(async (client) => {
    for (const node of client instanceof Cluster ? client.nodes('master') : [client]) {
      let cursor = '0';
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', redisKey('*', '*'), 'COUNT', 1000);
        if (keys.length > 0) return true;
        cursor = next;
      } while (cursor !== '0');
    }
    return false;
  });
}

export function ephemeralOnRedis(redis: RedisConnection): EphemeralStore {
  return {
    put(appId, key, value, { ttlSeconds, ifAbsent = false }) {
      const milliseconds = Math.max(1, Math.round(ttlSeconds * 1000));
      return redis.run(async (client) => {
        const name = redisKey(appId, key);
        const answer = ifAbsent
          ? await client.set(name, value, 'PX', milliseconds, 'NX')
          : await client.set(name, value, 'PX', milliseconds);
        return answer === 'OK';
      });
    },
    read(appId, key) {
      return redis.run(async (client) => (await client.get(redisKey(appId, key))) ?? undefined);
    },
    get(appId, key) {
      return redis.run(async (client) => {
        const name = redisKey(appId, key);
        // Both travel in one message (auto-pipelining); a value that expires in between counts as gone.
        const [value, milliseconds] = await Promise.all([client.get(name), client.pttl(name)]);
        if (value === null || milliseconds <= 0) return undefined;
        return { value, remainingSeconds: milliseconds / 1000 };
      });
    },
    take(appId, key) {
      return redis.run(async (client) => (await client.getdel(redisKey(appId, key))) ?? undefined);
    },
    increment(appId, key, ttlSeconds) {
      return redis.run(async (client) => {
        const name = redisKey(appId, key);
        const answers = await client
          .multi()
          .incr(name)
          .pexpire(name, Math.round(ttlSeconds * 1000), 'NX')
          .exec();
        return Number(answers![0]![1]);
      });
    },
    delete(appId, key) {
      return redis.run(async (client) => (await client.del(redisKey(appId, key))) === 1);
    },
  };
}
