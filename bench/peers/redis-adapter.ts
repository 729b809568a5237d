import type { Redis } from 'ioredis';
import type { Adapter, AdapterConstructor, AdapterPayload } from 'oidc-provider';

const CONSUMABLE = new Set([
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
]);
const OF_GRANT = new Set([...CONSUMABLE, 'AccessToken']);

/**
 * What somebody writes who follows the library's documentation on adapters: a key per artifact, a hash where `consumed`
 * has to be set, a list of keys per grant so that they can be revoked together, look-up keys for uid and user code.
 */
export function redisAdapter(redis: Redis): AdapterConstructor {
  const grantKey = (id: string): string => `oidc:grant:${id}`;
  const uidKey = (uid: string): string => `oidc:uid:${uid}`;
  const codeKey = (code: string): string => `oidc:userCode:${code}`;

  return class RedisAdapter implements Adapter {
    readonly name: string;

    constructor(name: string) {
      this.name = name;
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
      const key = this.#key(id);
      const work = redis.multi();
      if (CONSUMABLE.has(this.name)) work.hset(key, { payload: JSON.stringify(payload) });
      else work.set(key, JSON.stringify(payload));
      if (expiresIn) work.expire(key, expiresIn);
      if (OF_GRANT.has(this.name) && payload.grantId) {
        const list = grantKey(payload.grantId);
        work.rpush(list, key);
        // The list lives as long as the longest of what is in it.
        if (expiresIn > (await redis.ttl(list))) work.expire(list, expiresIn);
      }
      if (payload.userCode) work.set(codeKey(payload.userCode), id, 'EX', expiresIn);
      if (payload.uid) work.set(uidKey(payload.uid), id, 'EX', expiresIn);
      await work.exec();
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      if (!CONSUMABLE.has(this.name)) {
        const text = await redis.get(this.#key(id));
        return text === null ? undefined : (JSON.parse(text) as AdapterPayload);
      }
      const { payload, ...rest } = await redis.hgetall(this.#key(id));
      return payload === undefined ? undefined : { ...rest, ...(JSON.parse(payload) as AdapterPayload) };
    }

    async findByUid(uid: string): Promise<AdapterPayload | undefined> {
      const id = await redis.get(uidKey(uid));
      return id === null ? undefined : this.find(id);
    }

    async findByUserCode(code: string): Promise<AdapterPayload | undefined> {
      const id = await redis.get(codeKey(code));
      return id === null ? undefined : this.find(id);
    }

    async consume(id: string): Promise<void> {
      await redis.hset(this.#key(id), 'consumed', Math.floor(Date.now() / 1000));
    }

    async destroy(id: string): Promise<void> {
      await redis.del(this.#key(id));
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      const list = grantKey(grantId);
      const keys = await redis.lrange(list, 0, -1);
      await redis.del(list, ...keys);
    }

    #key(id: string): string {
      return `oidc:${this.name}:${id}`;
    }
  };
}
